/**
 * The command line: one class a command, which parses, prints and exits. What a command does is
 * done further down; nothing else imports this package.
 */
package dev.flinch.cli;
