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
INSERT INTO experiments VALUES (0, 'Default', '@FOLDER@/mlruns/0', 'active', 1795708111254, 1795708111254, 'default');
INSERT INTO experiments VALUES (1, 'digits, first', '@FOLDER@/mlruns/1', 'active', 1795708111271, 1795708111271, 'default');
INSERT INTO experiments VALUES (2, 'dropped', '@FOLDER@/mlruns/2', 'deleted', 1795708111315, 1795708113798, 'default');
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
	CONSTRAINT source_type CHECK (source_type IN ('NOTEBOOK', 'JOB', 'LOCAL', 'UNKNOWN', 'PROJECT')), 
	CONSTRAINT runs_lifecycle_stage CHECK (lifecycle_stage IN ('active', 'deleted')), 
	FOREIGN KEY(experiment_id) REFERENCES experiments (experiment_id), 
	CHECK (status IN ('SCHEDULED', 'FAILED', 'FINISHED', 'RUNNING', 'KILLED'))
);
INSERT INTO runs VALUES ('ce57810e82574955a65e9450efcd2b75', 'baseline: lr=0.1, a long name with words with words with words with words with words with words with words with words with words with words with words with words ', 'UNKNOWN', '', '', 'ann', 'FINISHED', 1700000000000, 1700000009000, '', 'active', '@FOLDER@/mlruns/1/ce57810e82574955a65e9450efcd2b75/artifacts', 1, NULL);
INSERT INTO runs VALUES ('3f3eefa7fb3d459ab499173bc7e898d3', 'child: ''yes''', 'UNKNOWN', '', '', 'unknown', 'FAILED', 1700000010000, 1700000011000, '', 'active', '@FOLDER@/mlruns/1/3f3eefa7fb3d459ab499173bc7e898d3/artifacts', 1, NULL);
INSERT INTO runs VALUES ('7ef16fa02aa54053970848c21f7acb4e', 'no', 'UNKNOWN', '', '', 'unknown', 'KILLED', 1700000012000, 1700000013000, '', 'deleted', '@FOLDER@/mlruns/1/7ef16fa02aa54053970848c21f7acb4e/artifacts', 1, 1795708113558);
INSERT INTO runs VALUES ('6ed58073023b4387b60b4ebda28a0f09', '123', 'UNKNOWN', '', '', 'unknown', 'RUNNING', 1700000014000, NULL, '', 'active', '@FOLDER@/mlruns/0/6ed58073023b4387b60b4ebda28a0f09/artifacts', 0, NULL);
INSERT INTO runs VALUES ('e0836e4468ac40ee9916e41c31239911', 'in a dropped experiment', 'UNKNOWN', '', '', 'unknown', 'FINISHED', 1700000015000, 1700000016000, '', 'deleted', '@FOLDER@/mlruns/2/e0836e4468ac40ee9916e41c31239911/artifacts', 2, 1795708113809);
CREATE TABLE "params" (
	"key" VARCHAR(250) NOT NULL, 
	value VARCHAR(8000) NOT NULL, 
	run_uuid VARCHAR(32) NOT NULL, 
	CONSTRAINT param_pk PRIMARY KEY ("key", run_uuid), 
	FOREIGN KEY(run_uuid) REFERENCES runs (run_uuid)
);
INSERT INTO params VALUES ('lr', '0.1', 'ce57810e82574955a65e9450efcd2b75');
INSERT INTO params VALUES ('note', 'two
lines: ''quoted'' "text" #', 'ce57810e82574955a65e9450efcd2b75');
INSERT INTO params VALUES ('opt/name', 'adam', 'ce57810e82574955a65e9450efcd2b75');
INSERT INTO params VALUES ('empty', '', '7ef16fa02aa54053970848c21f7acb4e');
CREATE TABLE "tags" (
	"key" VARCHAR(250) NOT NULL, 
	value VARCHAR(8000), 
	run_uuid VARCHAR(32) NOT NULL, 
	CONSTRAINT tag_pk PRIMARY KEY ("key", run_uuid), 
	FOREIGN KEY(run_uuid) REFERENCES runs (run_uuid)
);
INSERT INTO tags VALUES ('mlflow.user', 'ann', 'ce57810e82574955a65e9450efcd2b75');
INSERT INTO tags VALUES ('mlflow.source.name', 'train.py', 'ce57810e82574955a65e9450efcd2b75');
INSERT INTO tags VALUES ('mlflow.runName', 'baseline: lr=0.1, a long name with words with words with words with words with words with words with words with words with words with words with words with words ', 'ce57810e82574955a65e9450efcd2b75');
INSERT INTO tags VALUES ('stage', 'done', 'ce57810e82574955a65e9450efcd2b75');
INSERT INTO tags VALUES ('empty', '', 'ce57810e82574955a65e9450efcd2b75');
INSERT INTO tags VALUES ('lines', 'a

b
', 'ce57810e82574955a65e9450efcd2b75');
INSERT INTO tags VALUES ('mlflow.parentRunId', 'ce57810e82574955a65e9450efcd2b75', '3f3eefa7fb3d459ab499173bc7e898d3');
INSERT INTO tags VALUES ('mlflow.runName', 'child: ''yes''', '3f3eefa7fb3d459ab499173bc7e898d3');
INSERT INTO tags VALUES ('mlflow.runName', 'no', '7ef16fa02aa54053970848c21f7acb4e');
INSERT INTO tags VALUES ('mlflow.runName', '123', '6ed58073023b4387b60b4ebda28a0f09');
INSERT INTO tags VALUES ('mlflow.runName', 'in a dropped experiment', 'e0836e4468ac40ee9916e41c31239911');
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
INSERT INTO metrics VALUES ('train/loss', 1.0, 1700000000000, 'ce57810e82574955a65e9450efcd2b75', 0, 0);
INSERT INTO metrics VALUES ('train/loss', 0.5, 1700000000007, 'ce57810e82574955a65e9450efcd2b75', 1, 0);
INSERT INTO metrics VALUES ('train/loss', 3.33333333333333314829e-01, 1700000000014, 'ce57810e82574955a65e9450efcd2b75', 2, 0);
INSERT INTO metrics VALUES ('train/loss', 0.25, 1700000000021, 'ce57810e82574955a65e9450efcd2b75', 3, 0);
INSERT INTO metrics VALUES ('train/loss', 0.2, 1700000000028, 'ce57810e82574955a65e9450efcd2b75', 4, 0);
INSERT INTO metrics VALUES ('train/loss', 1.66666666666666657414e-01, 1700000000035, 'ce57810e82574955a65e9450efcd2b75', 5, 0);
INSERT INTO metrics VALUES ('train/loss', 1.42857142857142849212e-01, 1700000000042, 'ce57810e82574955a65e9450efcd2b75', 6, 0);
INSERT INTO metrics VALUES ('train/loss', 0.125, 1700000000049, 'ce57810e82574955a65e9450efcd2b75', 7, 0);
INSERT INTO metrics VALUES ('train/loss', 1.11111111111111104943e-01, 1700000000056, 'ce57810e82574955a65e9450efcd2b75', 8, 0);
INSERT INTO metrics VALUES ('train/loss', 0.1, 1700000000063, 'ce57810e82574955a65e9450efcd2b75', 9, 0);
INSERT INTO metrics VALUES ('train/loss', 9.09090909090909116141e-02, 1700000000070, 'ce57810e82574955a65e9450efcd2b75', 10, 0);
INSERT INTO metrics VALUES ('train/loss', 8.33333333333333287074e-02, 1700000000077, 'ce57810e82574955a65e9450efcd2b75', 11, 0);
INSERT INTO metrics VALUES ('train/loss', 7.6923076923076927347e-02, 1700000000084, 'ce57810e82574955a65e9450efcd2b75', 12, 0);
INSERT INTO metrics VALUES ('train/loss', 7.14285714285714246063e-02, 1700000000091, 'ce57810e82574955a65e9450efcd2b75', 13, 0);
INSERT INTO metrics VALUES ('train/loss', 6.66666666666666657414e-02, 1700000000098, 'ce57810e82574955a65e9450efcd2b75', 14, 0);
INSERT INTO metrics VALUES ('train/loss', 0.0625, 1700000000105, 'ce57810e82574955a65e9450efcd2b75', 15, 0);
INSERT INTO metrics VALUES ('train/loss', 5.8823529411764705066e-02, 1700000000112, 'ce57810e82574955a65e9450efcd2b75', 16, 0);
INSERT INTO metrics VALUES ('train/loss', 5.55555555555555524716e-02, 1700000000119, 'ce57810e82574955a65e9450efcd2b75', 17, 0);
INSERT INTO metrics VALUES ('train/loss', 5.26315789473684181309e-02, 1700000000126, 'ce57810e82574955a65e9450efcd2b75', 18, 0);
INSERT INTO metrics VALUES ('train/loss', 0.05, 1700000000133, 'ce57810e82574955a65e9450efcd2b75', 19, 0);
INSERT INTO metrics VALUES ('train/loss', 4.76190476190476164042e-02, 1700000000140, 'ce57810e82574955a65e9450efcd2b75', 20, 0);
INSERT INTO metrics VALUES ('train/loss', 4.5454545454545455807e-02, 1700000000147, 'ce57810e82574955a65e9450efcd2b75', 21, 0);
INSERT INTO metrics VALUES ('train/loss', 4.34782608695652161845e-02, 1700000000154, 'ce57810e82574955a65e9450efcd2b75', 22, 0);
INSERT INTO metrics VALUES ('train/loss', 4.16666666666666643537e-02, 1700000000161, 'ce57810e82574955a65e9450efcd2b75', 23, 0);
INSERT INTO metrics VALUES ('train/loss', 0.04, 1700000000168, 'ce57810e82574955a65e9450efcd2b75', 24, 0);
INSERT INTO metrics VALUES ('train/loss', 3.84615384615384636735e-02, 1700000000175, 'ce57810e82574955a65e9450efcd2b75', 25, 0);
INSERT INTO metrics VALUES ('train/loss', 3.7037037037037034981e-02, 1700000000182, 'ce57810e82574955a65e9450efcd2b75', 26, 0);
INSERT INTO metrics VALUES ('train/loss', 3.57142857142857123031e-02, 1700000000189, 'ce57810e82574955a65e9450efcd2b75', 27, 0);
INSERT INTO metrics VALUES ('train/loss', 3.44827586206896546938e-02, 1700000000196, 'ce57810e82574955a65e9450efcd2b75', 28, 0);
INSERT INTO metrics VALUES ('train/loss', 3.33333333333333328707e-02, 1700000000203, 'ce57810e82574955a65e9450efcd2b75', 29, 0);
INSERT INTO metrics VALUES ('train/loss', 3.22580645161290313627e-02, 1700000000210, 'ce57810e82574955a65e9450efcd2b75', 30, 0);
INSERT INTO metrics VALUES ('train/loss', 0.03125, 1700000000217, 'ce57810e82574955a65e9450efcd2b75', 31, 0);
INSERT INTO metrics VALUES ('train/loss', 3.03030303030303038713e-02, 1700000000224, 'ce57810e82574955a65e9450efcd2b75', 32, 0);
INSERT INTO metrics VALUES ('train/loss', 2.9411764705882352533e-02, 1700000000231, 'ce57810e82574955a65e9450efcd2b75', 33, 0);
INSERT INTO metrics VALUES ('train/loss', 2.85714285714285705364e-02, 1700000000238, 'ce57810e82574955a65e9450efcd2b75', 34, 0);
INSERT INTO metrics VALUES ('train/loss', 2.77777777777777762358e-02, 1700000000245, 'ce57810e82574955a65e9450efcd2b75', 35, 0);
INSERT INTO metrics VALUES ('train/loss', 2.70270270270270285273e-02, 1700000000252, 'ce57810e82574955a65e9450efcd2b75', 36, 0);
INSERT INTO metrics VALUES ('train/loss', 2.63157894736842090654e-02, 1700000000259, 'ce57810e82574955a65e9450efcd2b75', 37, 0);
INSERT INTO metrics VALUES ('train/loss', 2.5641025641025640136e-02, 1700000000266, 'ce57810e82574955a65e9450efcd2b75', 38, 0);
INSERT INTO metrics VALUES ('train/loss', 0.025, 1700000000273, 'ce57810e82574955a65e9450efcd2b75', 39, 0);
INSERT INTO metrics VALUES ('odd values', 0.0, 1700000001000, 'ce57810e82574955a65e9450efcd2b75', 3, 1);
INSERT INTO metrics VALUES ('odd values', 1.79769313486231562234e+308, 1700000001001, 'ce57810e82574955a65e9450efcd2b75', 2, 0);
INSERT INTO metrics VALUES ('odd values', -1.79769313486231562234e+308, 1700000001002, 'ce57810e82574955a65e9450efcd2b75', 1, 0);
INSERT INTO metrics VALUES ('odd values', 0.0, 1700000001003, 'ce57810e82574955a65e9450efcd2b75', 0, 0);
INSERT INTO metrics VALUES ('odd values', 4.94065645841247e-324, 1700000001004, 'ce57810e82574955a65e9450efcd2b75', -1, 0);
INSERT INTO metrics VALUES ('odd values', 0.1, 1700000001005, 'ce57810e82574955a65e9450efcd2b75', -2, 0);
INSERT INTO metrics VALUES ('odd values', 1.0e+300, 1700000001006, 'ce57810e82574955a65e9450efcd2b75', -3, 0);
INSERT INTO metrics VALUES ('odd values', 1.23456789123456791039e+08, 1700000001007, 'ce57810e82574955a65e9450efcd2b75', -4, 0);
INSERT INTO metrics VALUES ('repeats', 0.25, 1700000002000, 'ce57810e82574955a65e9450efcd2b75', 5, 0);
INSERT INTO metrics VALUES ('repeats', 0.25, 1700000002000, 'ce57810e82574955a65e9450efcd2b75', -2, 0);
INSERT INTO metrics VALUES ('repeats', 0.25, 1700000002000, 'ce57810e82574955a65e9450efcd2b75', 1099511627776, 0);
INSERT INTO metrics VALUES ('acc', 0.5, 1700000003000, 'ce57810e82574955a65e9450efcd2b75', 0, 0);
INSERT INTO metrics VALUES ('acc', 0.51, 1700000003001, 'ce57810e82574955a65e9450efcd2b75', 1, 0);
INSERT INTO metrics VALUES ('acc', 0.52, 1700000003002, 'ce57810e82574955a65e9450efcd2b75', 2, 0);
INSERT INTO metrics VALUES ('acc', 0.53, 1700000003003, 'ce57810e82574955a65e9450efcd2b75', 3, 0);
INSERT INTO metrics VALUES ('acc', 0.54, 1700000003004, 'ce57810e82574955a65e9450efcd2b75', 4, 0);
INSERT INTO metrics VALUES ('acc', 0.55, 1700000003005, 'ce57810e82574955a65e9450efcd2b75', 5, 0);
INSERT INTO metrics VALUES ('acc', 0.56, 1700000003006, 'ce57810e82574955a65e9450efcd2b75', 6, 0);
INSERT INTO metrics VALUES ('acc', 5.70000000000000062172e-01, 1700000003007, 'ce57810e82574955a65e9450efcd2b75', 7, 0);
INSERT INTO metrics VALUES ('acc', 0.58, 1700000003008, 'ce57810e82574955a65e9450efcd2b75', 8, 0);
INSERT INTO metrics VALUES ('acc', 0.59, 1700000003009, 'ce57810e82574955a65e9450efcd2b75', 9, 0);
INSERT INTO metrics VALUES ('loss', 2.5, 1700000010500, '3f3eefa7fb3d459ab499173bc7e898d3', 0, 0);
INSERT INTO metrics VALUES ('odd', 0.0, 1700000004000, 'ce57810e82574955a65e9450efcd2b75', 3, 1);
INSERT INTO metrics VALUES ('odd', 1.79769313486231562234e+308, 1700000004001, 'ce57810e82574955a65e9450efcd2b75', 2, 0);
INSERT INTO metrics VALUES ('odd', -1.79769313486231562234e+308, 1700000004002, 'ce57810e82574955a65e9450efcd2b75', 1, 0);
INSERT INTO metrics VALUES ('odd', 0.0, 1700000004003, 'ce57810e82574955a65e9450efcd2b75', 0, 0);
INSERT INTO metrics VALUES ('odd', 4.94065645841247e-324, 1700000004004, 'ce57810e82574955a65e9450efcd2b75', -1, 0);
INSERT INTO metrics VALUES ('odd', 0.1, 1700000004005, 'ce57810e82574955a65e9450efcd2b75', -2, 0);
INSERT INTO metrics VALUES ('on/data', 3.33333333333333314829e-01, 1700000005001, 'ce57810e82574955a65e9450efcd2b75', 1, 0);
INSERT INTO metrics VALUES ('on/data', 1.42857142857142849212e-01, 1700000006001, 'ce57810e82574955a65e9450efcd2b75', 1, 0);
INSERT INTO metrics VALUES ('on/data', 6.66666666666666629659e-01, 1700000005002, 'ce57810e82574955a65e9450efcd2b75', 2, 0);
INSERT INTO metrics VALUES ('on/data', 2.85714285714285698425e-01, 1700000006002, 'ce57810e82574955a65e9450efcd2b75', 2, 0);
INSERT INTO metrics VALUES ('acc of it', 0.25, 1700000007000, 'ce57810e82574955a65e9450efcd2b75', 5, 0);
INSERT INTO metrics VALUES ('acc of it', 0.75, 1700000007000, '3f3eefa7fb3d459ab499173bc7e898d3', 5, 0);
INSERT INTO metrics VALUES ('loss', 3.5, 1700000012500, '7ef16fa02aa54053970848c21f7acb4e', 1, 0);
INSERT INTO metrics VALUES ('loss', 4.5, 1700000014500, '6ed58073023b4387b60b4ebda28a0f09', 1, 0);
INSERT INTO metrics VALUES ('loss', 5.5, 1700000015500, 'e0836e4468ac40ee9916e41c31239911', 1, 0);
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
INSERT INTO latest_metrics VALUES ('train/loss', 0.025, 1700000000273, 39, 0, 'ce57810e82574955a65e9450efcd2b75');
INSERT INTO latest_metrics VALUES ('odd values', 0.0, 1700000001000, 3, 1, 'ce57810e82574955a65e9450efcd2b75');
INSERT INTO latest_metrics VALUES ('repeats', 0.25, 1700000002000, 1099511627776, 0, 'ce57810e82574955a65e9450efcd2b75');
INSERT INTO latest_metrics VALUES ('acc', 0.59, 1700000003009, 9, 0, 'ce57810e82574955a65e9450efcd2b75');
INSERT INTO latest_metrics VALUES ('loss', 2.5, 1700000010500, 0, 0, '3f3eefa7fb3d459ab499173bc7e898d3');
INSERT INTO latest_metrics VALUES ('odd', 0.0, 1700000004000, 3, 1, 'ce57810e82574955a65e9450efcd2b75');
INSERT INTO latest_metrics VALUES ('on/data', 2.85714285714285698425e-01, 1700000006002, 2, 0, 'ce57810e82574955a65e9450efcd2b75');
INSERT INTO latest_metrics VALUES ('acc of it', 0.25, 1700000007000, 5, 0, 'ce57810e82574955a65e9450efcd2b75');
INSERT INTO latest_metrics VALUES ('acc of it', 0.75, 1700000007000, 5, 0, '3f3eefa7fb3d459ab499173bc7e898d3');
INSERT INTO latest_metrics VALUES ('loss', 3.5, 1700000012500, 1, 0, '7ef16fa02aa54053970848c21f7acb4e');
INSERT INTO latest_metrics VALUES ('loss', 4.5, 1700000014500, 1, 0, '6ed58073023b4387b60b4ebda28a0f09');
INSERT INTO latest_metrics VALUES ('loss', 5.5, 1700000015500, 1, 0, 'e0836e4468ac40ee9916e41c31239911');
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
INSERT INTO datasets VALUES ('202f04fc3d284ed49c7e476bfe6bf937', 1, 'digits', 'a1b2c3', 'local', '{"uri": "data/digits.csv"}', '{"columns": 3}', '{"rows": 7}');
INSERT INTO datasets VALUES ('4b0ce053fb3b4ee088b148f6d9bb3871', 1, 'plain', '0', 'http', 'https://example.org/x?a=b#c', NULL, NULL);
CREATE TABLE inputs (
	input_uuid VARCHAR(36) NOT NULL, 
	source_type VARCHAR(36) NOT NULL, 
	source_id VARCHAR(36) NOT NULL, 
	destination_type VARCHAR(36) NOT NULL, 
	destination_id VARCHAR(36) NOT NULL, step BIGINT DEFAULT '0' NOT NULL, 
	CONSTRAINT inputs_pk PRIMARY KEY (source_type, source_id, destination_type, destination_id)
);
INSERT INTO inputs VALUES ('39f5cebd59c24d38bde4544a3c3db678', 'DATASET', '202f04fc3d284ed49c7e476bfe6bf937', 'RUN', 'ce57810e82574955a65e9450efcd2b75', 0);
INSERT INTO inputs VALUES ('bcabc451a2bd43f1993bea829bdc65e4', 'DATASET', '4b0ce053fb3b4ee088b148f6d9bb3871', 'RUN', 'ce57810e82574955a65e9450efcd2b75', 0);
INSERT INTO inputs VALUES ('37b6739366ae4d54b965bc979fc8d203', 'RUN_OUTPUT', 'ce57810e82574955a65e9450efcd2b75', 'MODEL_OUTPUT', 'm-56240d220f25487c90cbf8de2204fae3', 3);
INSERT INTO inputs VALUES ('4a2f0fb4e11040129b9f47c36c519c8e', 'RUN_OUTPUT', 'ce57810e82574955a65e9450efcd2b75', 'MODEL_OUTPUT', 'm-0aebc4529c794b29b444d2ca71c2aa6c', -1);
INSERT INTO inputs VALUES ('970c92dcf28a41efb36356586e234cb2', 'RUN_INPUT', '3f3eefa7fb3d459ab499173bc7e898d3', 'MODEL_INPUT', 'm-56240d220f25487c90cbf8de2204fae3', 0);
INSERT INTO inputs VALUES ('4d7677115a0849d099e0cc1854c2d059', 'RUN_INPUT', '3f3eefa7fb3d459ab499173bc7e898d3', 'MODEL_INPUT', 'm-a411ccce61224b09a720a542a4ab5c52', 0);
INSERT INTO inputs VALUES ('d52f2b73fe6449db8a1c1cb64f04b876', 'RUN_OUTPUT', '3f3eefa7fb3d459ab499173bc7e898d3', 'MODEL_OUTPUT', 'm-931814f4627f4ab39c5ae4d1213ad65b', 1099511627776);
CREATE TABLE input_tags (
	input_uuid VARCHAR(36) NOT NULL, 
	name VARCHAR(255) NOT NULL, 
	value VARCHAR(500) NOT NULL, 
	CONSTRAINT input_tags_pk PRIMARY KEY (input_uuid, name)
);
INSERT INTO input_tags VALUES ('39f5cebd59c24d38bde4544a3c3db678', 'mlflow.data.context', 'training');
CREATE TABLE logged_models (
	model_id VARCHAR(36) NOT NULL, 
	experiment_id INTEGER NOT NULL, 
	name VARCHAR(500) NOT NULL, 
	artifact_location VARCHAR(1000) NOT NULL, 
	creation_timestamp_ms BIGINT NOT NULL, 
	last_updated_timestamp_ms BIGINT NOT NULL, 
	status INTEGER NOT NULL, 
	lifecycle_stage VARCHAR(32), 
	model_type VARCHAR(500), 
	source_run_id VARCHAR(32), 
	status_message VARCHAR(1000), 
	CONSTRAINT logged_models_pk PRIMARY KEY (model_id), 
	CONSTRAINT logged_models_lifecycle_stage_check CHECK (lifecycle_stage IN ('active', 'deleted')), 
	CONSTRAINT fk_logged_models_experiment_id FOREIGN KEY(experiment_id) REFERENCES experiments (experiment_id) ON DELETE CASCADE
);
INSERT INTO logged_models VALUES ('m-56240d220f25487c90cbf8de2204fae3', 1, 'digits cnn, α', '@FOLDER@/mlruns/1/models/m-56240d220f25487c90cbf8de2204fae3/artifacts', 1795708112471, 1795708113000, 2, 'active', 'pytorch', 'ce57810e82574955a65e9450efcd2b75', NULL);
INSERT INTO logged_models VALUES ('m-a411ccce61224b09a720a542a4ab5c52', 1, 'secretive-stoat-138', '@FOLDER@/mlruns/1/models/m-a411ccce61224b09a720a542a4ab5c52/artifacts', 1795708113039, 1795708113039, 1, 'active', NULL, NULL, NULL);
INSERT INTO logged_models VALUES ('m-931814f4627f4ab39c5ae4d1213ad65b', 1, 'failed', '@FOLDER@/mlruns/1/models/m-931814f4627f4ab39c5ae4d1213ad65b/artifacts', 1795708113099, 1795708113168, 3, 'active', NULL, '3f3eefa7fb3d459ab499173bc7e898d3', NULL);
INSERT INTO logged_models VALUES ('m-0aebc4529c794b29b444d2ca71c2aa6c', 1, 'deleted', '@FOLDER@/mlruns/1/models/m-0aebc4529c794b29b444d2ca71c2aa6c/artifacts', 1795708113213, 1795708113320, 2, 'deleted', NULL, 'ce57810e82574955a65e9450efcd2b75', NULL);
INSERT INTO logged_models VALUES ('m-44d0997006194c709ec019332db16941', 2, 'of a dropped experiment', '@FOLDER@/mlruns/2/models/m-44d0997006194c709ec019332db16941/artifacts', 1795708113344, 1795708113344, 1, 'active', NULL, NULL, NULL);
CREATE TABLE logged_model_params (
	model_id VARCHAR(36) NOT NULL, 
	experiment_id INTEGER NOT NULL, 
	param_key VARCHAR(255) NOT NULL, 
	param_value TEXT NOT NULL, 
	CONSTRAINT logged_model_params_pk PRIMARY KEY (model_id, param_key), 
	CONSTRAINT fk_logged_model_params_experiment_id FOREIGN KEY(experiment_id) REFERENCES experiments (experiment_id), 
	CONSTRAINT fk_logged_model_params_model_id FOREIGN KEY(model_id) REFERENCES logged_models (model_id) ON DELETE CASCADE
);
INSERT INTO logged_model_params VALUES ('m-56240d220f25487c90cbf8de2204fae3', 1, 'depth', '3');
INSERT INTO logged_model_params VALUES ('m-56240d220f25487c90cbf8de2204fae3', 1, 'note', 'two
lines: ''quoted''');
INSERT INTO logged_model_params VALUES ('m-56240d220f25487c90cbf8de2204fae3', 1, 'opt/name', 'adam');
INSERT INTO logged_model_params VALUES ('m-0aebc4529c794b29b444d2ca71c2aa6c', 1, 'depth', '1');
INSERT INTO logged_model_params VALUES ('m-44d0997006194c709ec019332db16941', 2, 'depth', '2');
CREATE TABLE logged_model_tags (
	model_id VARCHAR(36) NOT NULL, 
	experiment_id INTEGER NOT NULL, 
	tag_key VARCHAR(255) NOT NULL, 
	tag_value TEXT NOT NULL, 
	CONSTRAINT logged_model_tags_pk PRIMARY KEY (model_id, tag_key), 
	CONSTRAINT fk_logged_model_tags_experiment_id FOREIGN KEY(experiment_id) REFERENCES experiments (experiment_id), 
	CONSTRAINT fk_logged_model_tags_model_id FOREIGN KEY(model_id) REFERENCES logged_models (model_id) ON DELETE CASCADE
);
INSERT INTO logged_model_tags VALUES ('m-56240d220f25487c90cbf8de2204fae3', 1, 'team', 'vision');
INSERT INTO logged_model_tags VALUES ('m-56240d220f25487c90cbf8de2204fae3', 1, 'empty', '');
INSERT INTO logged_model_tags VALUES ('m-56240d220f25487c90cbf8de2204fae3', 1, 'stage/of it', 'done');
INSERT INTO logged_model_tags VALUES ('m-931814f4627f4ab39c5ae4d1213ad65b', 1, 'kept', 'y');
CREATE TABLE logged_model_metrics (
	model_id VARCHAR(36) NOT NULL, 
	metric_name VARCHAR(500) NOT NULL, 
	metric_timestamp_ms BIGINT NOT NULL, 
	metric_step BIGINT NOT NULL, 
	metric_value FLOAT, 
	experiment_id INTEGER NOT NULL, 
	run_id VARCHAR(32) NOT NULL, 
	dataset_uuid VARCHAR(36), 
	dataset_name VARCHAR(500), 
	dataset_digest VARCHAR(36), 
	CONSTRAINT logged_model_metrics_pk PRIMARY KEY (model_id, metric_name, metric_timestamp_ms, metric_step, run_id), 
	CONSTRAINT fk_logged_model_metrics_experiment_id FOREIGN KEY(experiment_id) REFERENCES experiments (experiment_id), 
	CONSTRAINT fk_logged_model_metrics_model_id FOREIGN KEY(model_id) REFERENCES logged_models (model_id) ON DELETE CASCADE, 
	CONSTRAINT fk_logged_model_metrics_run_id FOREIGN KEY(run_id) REFERENCES runs (run_uuid) ON DELETE CASCADE
);
INSERT INTO logged_model_metrics VALUES ('m-56240d220f25487c90cbf8de2204fae3', 'odd', 1700000004000, 3, 0.0, 1, 'ce57810e82574955a65e9450efcd2b75', NULL, NULL, NULL);
INSERT INTO logged_model_metrics VALUES ('m-56240d220f25487c90cbf8de2204fae3', 'odd', 1700000004001, 2, 1.79769313486231562234e+308, 1, 'ce57810e82574955a65e9450efcd2b75', NULL, NULL, NULL);
INSERT INTO logged_model_metrics VALUES ('m-56240d220f25487c90cbf8de2204fae3', 'odd', 1700000004002, 1, -1.79769313486231562234e+308, 1, 'ce57810e82574955a65e9450efcd2b75', NULL, NULL, NULL);
INSERT INTO logged_model_metrics VALUES ('m-56240d220f25487c90cbf8de2204fae3', 'odd', 1700000004003, 0, 0.0, 1, 'ce57810e82574955a65e9450efcd2b75', NULL, NULL, NULL);
INSERT INTO logged_model_metrics VALUES ('m-56240d220f25487c90cbf8de2204fae3', 'odd', 1700000004004, -1, 4.94065645841247e-324, 1, 'ce57810e82574955a65e9450efcd2b75', NULL, NULL, NULL);
INSERT INTO logged_model_metrics VALUES ('m-56240d220f25487c90cbf8de2204fae3', 'odd', 1700000004005, -2, 0.1, 1, 'ce57810e82574955a65e9450efcd2b75', NULL, NULL, NULL);
INSERT INTO logged_model_metrics VALUES ('m-56240d220f25487c90cbf8de2204fae3', 'on/data', 1700000005001, 1, 3.33333333333333314829e-01, 1, 'ce57810e82574955a65e9450efcd2b75', NULL, 'digits', 'a1b2c3');
INSERT INTO logged_model_metrics VALUES ('m-56240d220f25487c90cbf8de2204fae3', 'on/data', 1700000006001, 1, 1.42857142857142849212e-01, 1, 'ce57810e82574955a65e9450efcd2b75', NULL, 'plain', '0');
INSERT INTO logged_model_metrics VALUES ('m-56240d220f25487c90cbf8de2204fae3', 'on/data', 1700000005002, 2, 6.66666666666666629659e-01, 1, 'ce57810e82574955a65e9450efcd2b75', NULL, 'digits', 'a1b2c3');
INSERT INTO logged_model_metrics VALUES ('m-56240d220f25487c90cbf8de2204fae3', 'on/data', 1700000006002, 2, 2.85714285714285698425e-01, 1, 'ce57810e82574955a65e9450efcd2b75', NULL, 'plain', '0');
INSERT INTO logged_model_metrics VALUES ('m-56240d220f25487c90cbf8de2204fae3', 'acc of it', 1700000007000, 5, 0.25, 1, 'ce57810e82574955a65e9450efcd2b75', NULL, NULL, NULL);
INSERT INTO logged_model_metrics VALUES ('m-56240d220f25487c90cbf8de2204fae3', 'acc of it', 1700000007000, 5, 0.75, 1, '3f3eefa7fb3d459ab499173bc7e898d3', NULL, NULL, NULL);
