-- Stiffness of networks, at the end of training and along it.

ALTER TABLE network ADD COLUMN stiffness_within DOUBLE PRECISION;
ALTER TABLE network ADD COLUMN stiffness_between DOUBLE PRECISION;
ALTER TABLE network ADD COLUMN stiffness_sign_within DOUBLE PRECISION;
ALTER TABLE network ADD COLUMN stiffness_sign_between DOUBLE PRECISION;
ALTER TABLE network ADD COLUMN critical_length DOUBLE PRECISION;
ALTER TABLE network ADD COLUMN stiffness TEXT;
