/**
 * What a study's reader sees: figures as SVG and PNG, made without a display, and tables in plain
 * text. Everything here is drawn from plain numbers; nothing is measured, and no network or device
 * is known. Equal numbers give equal bytes.
 */
package dev.flinch.report;
