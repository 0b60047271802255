/**
 * The measures of sensitivity of Novak et al. (arXiv:1802.08760, §3): Jacobian norms at points and
 * along trajectories, and transitions of linear regions; and stiffness, of Fort et al.
 * (arXiv:1901.09491): angles between the loss gradients of single examples. Measures take stacks of
 * networks and return plain numbers; they know nothing of configurations, files or figures.
 */
package dev.flinch.sensitivity;
