CREATE TABLE "experiments" (
	experiment_id INTEGER NOT NULL, 
	name VARCHAR(256) NOT NULL, 
	artifact_location VARCHAR(256), 
	lifecycle_stage VARCHAR(32), 
	creation_time BIGINT, 
	last_update_time BIGINT, 
	workspace VARCHAR(63) DEFAULT 'default' NOT NULL, 
	CONSTRAINT experiment_pk PRIMARY KEY (experiment_id), 
	CONSTRAINT experiments_lifecycle_stage CHECK (lifecycle_stage IN ('active', 'deleted')), 
	CONSTRAINT uq_experiments_workspace_name UNIQUE (workspace, name)
);
INSERT INTO experiments VALUES (0, 'Default', '@FOLDER@/mlruns/0', 'active', 1795659555047, 1795659555047, 'default');
INSERT INTO experiments VALUES (1, 'digits, first', '@FOLDER@/mlruns/1', 'active', 1795659555050, 1795659555050, 'default');
INSERT INTO experiments VALUES (2, 'dropped', '@FOLDER@/mlruns/2', 'deleted', 1795659555067, 1795659555761, 'default');
CREATE TABLE "experiment_tags" (
	"key" VARCHAR(250) NOT NULL, 
	value TEXT, 
	experiment_id INTEGER NOT NULL, 
	CONSTRAINT experiment_tag_pk PRIMARY KEY ("key", experiment_id), 
	FOREIGN KEY(experiment_id) REFERENCES experiments (experiment_id)
);
INSERT INTO experiment_tags VALUES ('team', 'vision α', 1);
CREATE TABLE "runs" (
	run_uuid VARCHAR(32) NOT NULL, 
	name VARCHAR(250), 
	source_type VARCHAR(20), 
	source_name VARCHAR(500), 
	entry_point_name VARCHAR(50), 
	user_id VARCHAR(256), 
	status VARCHAR(9), 
	start_time BIGINT, 
	end_time BIGINT, 
	source_version VARCHAR(50), 
	lifecycle_stage VARCHAR(20), 
	artifact_uri VARCHAR(200), 
	experiment_id INTEGER, deleted_time BIGINT, 
	CONSTRAINT run_pk PRIMARY KEY (run_uuid), 
	CONSTRAINT runs_lifecycle_stage CHECK (lifecycle_stage IN ('active', 'deleted')), 
	CONSTRAINT source_type CHECK (source_type IN ('NOTEBOOK', 'JOB', 'LOCAL', 'UNKNOWN', 'PROJECT')), 
	FOREIGN KEY(experiment_id) REFERENCES experiments (experiment_id), 
	CHECK (status IN ('SCHEDULED', 'FAILED', 'FINISHED', 'RUNNING', 'KILLED'))
);
INSERT INTO runs VALUES ('cf8abbdf7c6a4702b1acd39cf88303fb', 'baseline: lr=0.1, a long name with words with words with words with words with words with words with words with words with words with words with words with words ', 'UNKNOWN', '', '', 'ann', 'FINISHED', 1700000000000, 1700000009000, '', 'active', '@FOLDER@/mlruns/1/cf8abbdf7c6a4702b1acd39cf88303fb/artifacts', 1, NULL);
INSERT INTO runs VALUES ('a4f4a67512e34cc1ad39c7b4b8ba68c4', 'child: ''yes''', 'UNKNOWN', '', '', 'unknown', 'FAILED', 1700000010000, 1700000011000, '', 'active', '@FOLDER@/mlruns/1/a4f4a67512e34cc1ad39c7b4b8ba68c4/artifacts', 1, NULL);
INSERT INTO runs VALUES ('d96a27e792a649218962c6d32b04b3d0', 'no', 'UNKNOWN', '', '', 'unknown', 'KILLED', 1700000012000, 1700000013000, '', 'deleted', '@FOLDER@/mlruns/1/d96a27e792a649218962c6d32b04b3d0/artifacts', 1, 1795659555694);
INSERT INTO runs VALUES ('92b4e974749349fda45ad7d2860a2952', '123', 'UNKNOWN', '', '', 'unknown', 'RUNNING', 1700000014000, NULL, '', 'active', '@FOLDER@/mlruns/0/92b4e974749349fda45ad7d2860a2952/artifacts', 0, NULL);
INSERT INTO runs VALUES ('4e22c4dec7a140bca85499222a020b2e', 'in a dropped experiment', 'UNKNOWN', '', '', 'unknown', 'FINISHED', 1700000015000, 1700000016000, '', 'deleted', '@FOLDER@/mlruns/2/4e22c4dec7a140bca85499222a020b2e/artifacts', 2, 1795659555770);
CREATE TABLE "params" (
	"key" VARCHAR(250) NOT NULL, 
	value VARCHAR(8000) NOT NULL, 
	run_uuid VARCHAR(32) NOT NULL, 
	CONSTRAINT param_pk PRIMARY KEY ("key", run_uuid), 
	FOREIGN KEY(run_uuid) REFERENCES runs (run_uuid)
);
INSERT INTO params VALUES ('lr', '0.1', 'cf8abbdf7c6a4702b1acd39cf88303fb');
INSERT INTO params VALUES ('note', 'two
lines: ''quoted'' "text" #', 'cf8abbdf7c6a4702b1acd39cf88303fb');
INSERT INTO params VALUES ('opt/name', 'adam', 'cf8abbdf7c6a4702b1acd39cf88303fb');
INSERT INTO params VALUES ('empty', '', 'd96a27e792a649218962c6d32b04b3d0');
CREATE TABLE "tags" (
	"key" VARCHAR(250) NOT NULL, 
	value VARCHAR(8000), 
	run_uuid VARCHAR(32) NOT NULL, 
	CONSTRAINT tag_pk PRIMARY KEY ("key", run_uuid), 
	FOREIGN KEY(run_uuid) REFERENCES runs (run_uuid)
);
INSERT INTO tags VALUES ('mlflow.user', 'ann', 'cf8abbdf7c6a4702b1acd39cf88303fb');
INSERT INTO tags VALUES ('mlflow.source.name', 'train.py', 'cf8abbdf7c6a4702b1acd39cf88303fb');
INSERT INTO tags VALUES ('mlflow.runName', 'baseline: lr=0.1, a long name with words with words with words with words with words with words with words with words with words with words with words with words ', 'cf8abbdf7c6a4702b1acd39cf88303fb');
INSERT INTO tags VALUES ('stage', 'done', 'cf8abbdf7c6a4702b1acd39cf88303fb');
INSERT INTO tags VALUES ('empty', '', 'cf8abbdf7c6a4702b1acd39cf88303fb');
INSERT INTO tags VALUES ('lines', 'a

b
', 'cf8abbdf7c6a4702b1acd39cf88303fb');
INSERT INTO tags VALUES ('mlflow.parentRunId', 'cf8abbdf7c6a4702b1acd39cf88303fb', 'a4f4a67512e34cc1ad39c7b4b8ba68c4');
INSERT INTO tags VALUES ('mlflow.runName', 'child: ''yes''', 'a4f4a67512e34cc1ad39c7b4b8ba68c4');
INSERT INTO tags VALUES ('mlflow.runName', 'no', 'd96a27e792a649218962c6d32b04b3d0');
INSERT INTO tags VALUES ('mlflow.runName', '123', '92b4e974749349fda45ad7d2860a2952');
INSERT INTO tags VALUES ('mlflow.runName', 'in a dropped experiment', '4e22c4dec7a140bca85499222a020b2e');
CREATE TABLE "metrics" (
	"key" VARCHAR(250) NOT NULL, 
	value FLOAT NOT NULL, 
	timestamp BIGINT NOT NULL, 
	run_uuid VARCHAR(32) NOT NULL, 
	step BIGINT DEFAULT '0' NOT NULL, 
	is_nan BOOLEAN DEFAULT '0' NOT NULL, 
	CONSTRAINT metric_pk PRIMARY KEY ("key", timestamp, step, run_uuid, value, is_nan), 
	FOREIGN KEY(run_uuid) REFERENCES runs (run_uuid), 
	CHECK (is_nan IN (0, 1))
);
INSERT INTO metrics VALUES ('train/loss', 1.0, 1700000000000, 'cf8abbdf7c6a4702b1acd39cf88303fb', 0, 0);
INSERT INTO metrics VALUES ('train/loss', 0.5, 1700000000007, 'cf8abbdf7c6a4702b1acd39cf88303fb', 1, 0);
INSERT INTO metrics VALUES ('train/loss', 3.33333333333333314829e-01, 1700000000014, 'cf8abbdf7c6a4702b1acd39cf88303fb', 2, 0);
INSERT INTO metrics VALUES ('train/loss', 0.25, 1700000000021, 'cf8abbdf7c6a4702b1acd39cf88303fb', 3, 0);
INSERT INTO metrics VALUES ('train/loss', 0.2, 1700000000028, 'cf8abbdf7c6a4702b1acd39cf88303fb', 4, 0);
INSERT INTO metrics VALUES ('train/loss', 1.66666666666666657414e-01, 1700000000035, 'cf8abbdf7c6a4702b1acd39cf88303fb', 5, 0);
INSERT INTO metrics VALUES ('train/loss', 1.42857142857142849212e-01, 1700000000042, 'cf8abbdf7c6a4702b1acd39cf88303fb', 6, 0);
INSERT INTO metrics VALUES ('train/loss', 0.125, 1700000000049, 'cf8abbdf7c6a4702b1acd39cf88303fb', 7, 0);
INSERT INTO metrics VALUES ('train/loss', 1.11111111111111104943e-01, 1700000000056, 'cf8abbdf7c6a4702b1acd39cf88303fb', 8, 0);
INSERT INTO metrics VALUES ('train/loss', 0.1, 1700000000063, 'cf8abbdf7c6a4702b1acd39cf88303fb', 9, 0);
INSERT INTO metrics VALUES ('train/loss', 9.09090909090909116141e-02, 1700000000070, 'cf8abbdf7c6a4702b1acd39cf88303fb', 10, 0);
INSERT INTO metrics VALUES ('train/loss', 8.33333333333333287074e-02, 1700000000077, 'cf8abbdf7c6a4702b1acd39cf88303fb', 11, 0);
INSERT INTO metrics VALUES ('train/loss', 7.6923076923076927347e-02, 1700000000084, 'cf8abbdf7c6a4702b1acd39cf88303fb', 12, 0);
INSERT INTO metrics VALUES ('train/loss', 7.14285714285714246063e-02, 1700000000091, 'cf8abbdf7c6a4702b1acd39cf88303fb', 13, 0);
INSERT INTO metrics VALUES ('train/loss', 6.66666666666666657414e-02, 1700000000098, 'cf8abbdf7c6a4702b1acd39cf88303fb', 14, 0);
INSERT INTO metrics VALUES ('train/loss', 0.0625, 1700000000105, 'cf8abbdf7c6a4702b1acd39cf88303fb', 15, 0);
INSERT INTO metrics VALUES ('train/loss', 5.8823529411764705066e-02, 1700000000112, 'cf8abbdf7c6a4702b1acd39cf88303fb', 16, 0);
INSERT INTO metrics VALUES ('train/loss', 5.55555555555555524716e-02, 1700000000119, 'cf8abbdf7c6a4702b1acd39cf88303fb', 17, 0);
INSERT INTO metrics VALUES ('train/loss', 5.26315789473684181309e-02, 1700000000126, 'cf8abbdf7c6a4702b1acd39cf88303fb', 18, 0);
INSERT INTO metrics VALUES ('train/loss', 0.05, 1700000000133, 'cf8abbdf7c6a4702b1acd39cf88303fb', 19, 0);
INSERT INTO metrics VALUES ('train/loss', 4.76190476190476164042e-02, 1700000000140, 'cf8abbdf7c6a4702b1acd39cf88303fb', 20, 0);
INSERT INTO metrics VALUES ('train/loss', 4.5454545454545455807e-02, 1700000000147, 'cf8abbdf7c6a4702b1acd39cf88303fb', 21, 0);
INSERT INTO metrics VALUES ('train/loss', 4.34782608695652161845e-02, 1700000000154, 'cf8abbdf7c6a4702b1acd39cf88303fb', 22, 0);
INSERT INTO metrics VALUES ('train/loss', 4.16666666666666643537e-02, 1700000000161, 'cf8abbdf7c6a4702b1acd39cf88303fb', 23, 0);
INSERT INTO metrics VALUES ('train/loss', 0.04, 1700000000168, 'cf8abbdf7c6a4702b1acd39cf88303fb', 24, 0);
INSERT INTO metrics VALUES ('train/loss', 3.84615384615384636735e-02, 1700000000175, 'cf8abbdf7c6a4702b1acd39cf88303fb', 25, 0);
INSERT INTO metrics VALUES ('train/loss', 3.7037037037037034981e-02, 1700000000182, 'cf8abbdf7c6a4702b1acd39cf88303fb', 26, 0);
INSERT INTO metrics VALUES ('train/loss', 3.57142857142857123031e-02, 1700000000189, 'cf8abbdf7c6a4702b1acd39cf88303fb', 27, 0);
INSERT INTO metrics VALUES ('train/loss', 3.44827586206896546938e-02, 1700000000196, 'cf8abbdf7c6a4702b1acd39cf88303fb', 28, 0);
INSERT INTO metrics VALUES ('train/loss', 3.33333333333333328707e-02, 1700000000203, 'cf8abbdf7c6a4702b1acd39cf88303fb', 29, 0);
INSERT INTO metrics VALUES ('train/loss', 3.22580645161290313627e-02, 1700000000210, 'cf8abbdf7c6a4702b1acd39cf88303fb', 30, 0);
INSERT INTO metrics VALUES ('train/loss', 0.03125, 1700000000217, 'cf8abbdf7c6a4702b1acd39cf88303fb', 31, 0);
INSERT INTO metrics VALUES ('train/loss', 3.03030303030303038713e-02, 1700000000224, 'cf8abbdf7c6a4702b1acd39cf88303fb', 32, 0);
INSERT INTO metrics VALUES ('train/loss', 2.9411764705882352533e-02, 1700000000231, 'cf8abbdf7c6a4702b1acd39cf88303fb', 33, 0);
INSERT INTO metrics VALUES ('train/loss', 2.85714285714285705364e-02, 1700000000238, 'cf8abbdf7c6a4702b1acd39cf88303fb', 34, 0);
INSERT INTO metrics VALUES ('train/loss', 2.77777777777777762358e-02, 1700000000245, 'cf8abbdf7c6a4702b1acd39cf88303fb', 35, 0);
INSERT INTO metrics VALUES ('train/loss', 2.70270270270270285273e-02, 1700000000252, 'cf8abbdf7c6a4702b1acd39cf88303fb', 36, 0);
INSERT INTO metrics VALUES ('train/loss', 2.63157894736842090654e-02, 1700000000259, 'cf8abbdf7c6a4702b1acd39cf88303fb', 37, 0);
INSERT INTO metrics VALUES ('train/loss', 2.5641025641025640136e-02, 1700000000266, 'cf8abbdf7c6a4702b1acd39cf88303fb', 38, 0);
INSERT INTO metrics VALUES ('train/loss', 0.025, 1700000000273, 'cf8abbdf7c6a4702b1acd39cf88303fb', 39, 0);
INSERT INTO metrics VALUES ('odd values', 0.0, 1700000001000, 'cf8abbdf7c6a4702b1acd39cf88303fb', 3, 1);
INSERT INTO metrics VALUES ('odd values', 1.79769313486231562234e+308, 1700000001001, 'cf8abbdf7c6a4702b1acd39cf88303fb', 2, 0);
INSERT INTO metrics VALUES ('odd values', -1.79769313486231562234e+308, 1700000001002, 'cf8abbdf7c6a4702b1acd39cf88303fb', 1, 0);
INSERT INTO metrics VALUES ('odd values', 0.0, 1700000001003, 'cf8abbdf7c6a4702b1acd39cf88303fb', 0, 0);
INSERT INTO metrics VALUES ('odd values', 4.94065645841247e-324, 1700000001004, 'cf8abbdf7c6a4702b1acd39cf88303fb', -1, 0);
INSERT INTO metrics VALUES ('odd values', 0.1, 1700000001005, 'cf8abbdf7c6a4702b1acd39cf88303fb', -2, 0);
INSERT INTO metrics VALUES ('odd values', 1.0e+300, 1700000001006, 'cf8abbdf7c6a4702b1acd39cf88303fb', -3, 0);
INSERT INTO metrics VALUES ('odd values', 1.23456789123456791039e+08, 1700000001007, 'cf8abbdf7c6a4702b1acd39cf88303fb', -4, 0);
INSERT INTO metrics VALUES ('repeats', 0.25, 1700000002000, 'cf8abbdf7c6a4702b1acd39cf88303fb', 5, 0);
INSERT INTO metrics VALUES ('repeats', 0.25, 1700000002000, 'cf8abbdf7c6a4702b1acd39cf88303fb', -2, 0);
INSERT INTO metrics VALUES ('repeats', 0.25, 1700000002000, 'cf8abbdf7c6a4702b1acd39cf88303fb', 1099511627776, 0);
INSERT INTO metrics VALUES ('acc', 0.5, 1700000003000, 'cf8abbdf7c6a4702b1acd39cf88303fb', 0, 0);
INSERT INTO metrics VALUES ('acc', 0.51, 1700000003001, 'cf8abbdf7c6a4702b1acd39cf88303fb', 1, 0);
INSERT INTO metrics VALUES ('acc', 0.52, 1700000003002, 'cf8abbdf7c6a4702b1acd39cf88303fb', 2, 0);
INSERT INTO metrics VALUES ('acc', 0.53, 1700000003003, 'cf8abbdf7c6a4702b1acd39cf88303fb', 3, 0);
INSERT INTO metrics VALUES ('acc', 0.54, 1700000003004, 'cf8abbdf7c6a4702b1acd39cf88303fb', 4, 0);
INSERT INTO metrics VALUES ('acc', 0.55, 1700000003005, 'cf8abbdf7c6a4702b1acd39cf88303fb', 5, 0);
INSERT INTO metrics VALUES ('acc', 0.56, 1700000003006, 'cf8abbdf7c6a4702b1acd39cf88303fb', 6, 0);
INSERT INTO metrics VALUES ('acc', 5.70000000000000062172e-01, 1700000003007, 'cf8abbdf7c6a4702b1acd39cf88303fb', 7, 0);
INSERT INTO metrics VALUES ('acc', 0.58, 1700000003008, 'cf8abbdf7c6a4702b1acd39cf88303fb', 8, 0);
INSERT INTO metrics VALUES ('acc', 0.59, 1700000003009, 'cf8abbdf7c6a4702b1acd39cf88303fb', 9, 0);
INSERT INTO metrics VALUES ('loss', 2.5, 1700000010500, 'a4f4a67512e34cc1ad39c7b4b8ba68c4', 0, 0);
INSERT INTO metrics VALUES ('loss', 3.5, 1700000012500, 'd96a27e792a649218962c6d32b04b3d0', 1, 0);
INSERT INTO metrics VALUES ('loss', 4.5, 1700000014500, '92b4e974749349fda45ad7d2860a2952', 1, 0);
INSERT INTO metrics VALUES ('loss', 5.5, 1700000015500, '4e22c4dec7a140bca85499222a020b2e', 1, 0);
CREATE TABLE "latest_metrics" (
	"key" VARCHAR(250) NOT NULL, 
	value FLOAT NOT NULL, 
	timestamp BIGINT, 
	step BIGINT NOT NULL, 
	is_nan BOOLEAN NOT NULL, 
	run_uuid VARCHAR(32) NOT NULL, 
	CONSTRAINT latest_metric_pk PRIMARY KEY ("key", run_uuid), 
	FOREIGN KEY(run_uuid) REFERENCES runs (run_uuid), 
	CHECK (is_nan IN (0, 1))
);
INSERT INTO latest_metrics VALUES ('train/loss', 0.025, 1700000000273, 39, 0, 'cf8abbdf7c6a4702b1acd39cf88303fb');
INSERT INTO latest_metrics VALUES ('odd values', 0.0, 1700000001000, 3, 1, 'cf8abbdf7c6a4702b1acd39cf88303fb');
INSERT INTO latest_metrics VALUES ('repeats', 0.25, 1700000002000, 1099511627776, 0, 'cf8abbdf7c6a4702b1acd39cf88303fb');
INSERT INTO latest_metrics VALUES ('acc', 0.59, 1700000003009, 9, 0, 'cf8abbdf7c6a4702b1acd39cf88303fb');
INSERT INTO latest_metrics VALUES ('loss', 2.5, 1700000010500, 0, 0, 'a4f4a67512e34cc1ad39c7b4b8ba68c4');
INSERT INTO latest_metrics VALUES ('loss', 3.5, 1700000012500, 1, 0, 'd96a27e792a649218962c6d32b04b3d0');
INSERT INTO latest_metrics VALUES ('loss', 4.5, 1700000014500, 1, 0, '92b4e974749349fda45ad7d2860a2952');
INSERT INTO latest_metrics VALUES ('loss', 5.5, 1700000015500, 1, 0, '4e22c4dec7a140bca85499222a020b2e');
CREATE TABLE "datasets" (
	dataset_uuid VARCHAR(36) NOT NULL, 
	experiment_id INTEGER NOT NULL, 
	name VARCHAR(500) NOT NULL, 
	digest VARCHAR(36) NOT NULL, 
	dataset_source_type VARCHAR(36) NOT NULL, 
	dataset_source TEXT NOT NULL, 
	dataset_schema TEXT, 
	dataset_profile TEXT, 
	CONSTRAINT dataset_pk PRIMARY KEY (experiment_id, name, digest), 
	CONSTRAINT fk_datasets_experiment_id_experiments FOREIGN KEY(experiment_id) REFERENCES experiments (experiment_id) ON DELETE CASCADE
);
INSERT INTO datasets VALUES ('dcfb0fbdda514ebaa340ae470ea3a1c3', 1, 'digits', 'a1b2c3', 'local', '{"uri": "data/digits.csv"}', '{"columns": 3}', '{"rows": 7}');
INSERT INTO datasets VALUES ('ed5b7b102fea495b90509fa275854217', 1, 'plain', '0', 'http', 'https://example.org/x?a=b#c', NULL, NULL);
CREATE TABLE inputs (
	input_uuid VARCHAR(36) NOT NULL, 
	source_type VARCHAR(36) NOT NULL, 
	source_id VARCHAR(36) NOT NULL, 
	destination_type VARCHAR(36) NOT NULL, 
	destination_id VARCHAR(36) NOT NULL, step BIGINT DEFAULT '0' NOT NULL, 
	CONSTRAINT inputs_pk PRIMARY KEY (source_type, source_id, destination_type, destination_id)
);
INSERT INTO inputs VALUES ('49c411da7606425f92f3ad93cf007979', 'DATASET', 'dcfb0fbdda514ebaa340ae470ea3a1c3', 'RUN', 'cf8abbdf7c6a4702b1acd39cf88303fb', 0);
INSERT INTO inputs VALUES ('a5e3e085cb8046698895202e9b5b0853', 'DATASET', 'ed5b7b102fea495b90509fa275854217', 'RUN', 'cf8abbdf7c6a4702b1acd39cf88303fb', 0);
CREATE TABLE input_tags (
	input_uuid VARCHAR(36) NOT NULL, 
	name VARCHAR(255) NOT NULL, 
	value VARCHAR(500) NOT NULL, 
	CONSTRAINT input_tags_pk PRIMARY KEY (input_uuid, name)
);
INSERT INTO input_tags VALUES ('49c411da7606425f92f3ad93cf007979', 'mlflow.data.context', 'training');
