-- The first tables of a store. Stores made before migrations had files have the same.

CREATE TABLE sweep (
  id INTEGER PRIMARY KEY CHECK (id = 1),
  title TEXT NOT NULL,
  configuration TEXT NOT NULL,
  version TEXT NOT NULL,
  created_millis BIGINT NOT NULL);

CREATE TABLE data_checksum (
  name TEXT PRIMARY KEY,
  checksum TEXT NOT NULL);

CREATE TABLE stack (
  id INTEGER PRIMARY KEY,
  cost DOUBLE PRECISION NOT NULL,
  state TEXT NOT NULL CHECK (state IN ('open', 'running', 'done')),
  attempt INTEGER NOT NULL,
  worker TEXT,
  lease_millis BIGINT);

CREATE INDEX stack_by_cost ON stack (state, cost DESC, id);

CREATE TABLE network (
  position INTEGER PRIMARY KEY,
  stack INTEGER NOT NULL REFERENCES stack (id),
  identity TEXT NOT NULL UNIQUE,
  setting TEXT,
  status TEXT NOT NULL CHECK (status IN ('planned', 'done', 'diverged', 'failed')),
  error TEXT,
  dataset TEXT,
  train_images BIGINT,
  crop BIGINT,
  depth BIGINT,
  width BIGINT,
  activation TEXT,
  biases BIGINT,
  init_scale DOUBLE PRECISION,
  optimizer TEXT,
  learning_rate DOUBLE PRECISION,
  batch_size BIGINT,
  labels TEXT,
  augmentation TEXT,
  seed BIGINT,
  parameters BIGINT,
  steps BIGINT,
  outcome TEXT,
  train_accuracy DOUBLE PRECISION,
  test_accuracy DOUBLE PRECISION,
  train_loss DOUBLE PRECISION,
  test_loss DOUBLE PRECISION,
  gap DOUBLE PRECISION,
  jacobian_norm DOUBLE PRECISION,
  jacobian_norm_error DOUBLE PRECISION,
  logit_jacobian_norm DOUBLE PRECISION,
  transitions DOUBLE PRECISION,
  transitions_per_layer TEXT,
  seconds DOUBLE PRECISION,
  device TEXT,
  version TEXT,
  configuration TEXT);

CREATE INDEX network_by_stack ON network (stack, position);

CREATE INDEX network_by_status ON network (status);

CREATE TABLE pair (
  position INTEGER PRIMARY KEY,
  name TEXT NOT NULL,
  left_label TEXT NOT NULL,
  right_label TEXT NOT NULL,
  left_identity TEXT NOT NULL,
  right_identity TEXT NOT NULL);
