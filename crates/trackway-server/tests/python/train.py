"""A training script as people write it: nothing in it knows what serves it. It prints the id of its run."""

import os
import sys
import tempfile

import mlflow
import mlflow.sklearn
import pandas as pd
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score
from sklearn.model_selection import train_test_split

mlflow.set_experiment("iris")
mlflow.sklearn.autolog(registered_model_name="iris-auto")

iris = load_iris(as_frame=True)
x_train, x_test, y_train, y_test = train_test_split(iris.data, iris.target, random_state=7)

with mlflow.start_run(run_name="baseline", tags={"team": "vision"}) as run:
    frame = pd.concat([x_train, y_train], axis=1)
    dataset = mlflow.data.from_pandas(frame, source="iris.csv", name="iris-train", targets="target")
    mlflow.log_input(dataset, context="training")
    model = LogisticRegression(max_iter=200, C=0.5)
    model.fit(x_train, y_train)
    predicted = model.predict(x_test)
    mlflow.log_metric("test_accuracy", accuracy_score(y_test, predicted))
    for step in range(20):
        mlflow.log_metric("loss", 1 / (step + 1), step=step)
    mlflow.log_metrics({"f1": 0.9, "auc": float("nan")}, step=3)
    mlflow.log_params({"note": "a b", "nested/param": 1})
    mlflow.log_text("hello\n", "notes/first.txt")
    mlflow.log_dict({"a": [1, 2]}, "config.json")
    mlflow.log_table({"q": ["x"], "a": ["y"]}, "table.json")
    with tempfile.TemporaryDirectory() as folder:
        os.makedirs(os.path.join(folder, "deep", "er"))
        with open(os.path.join(folder, "deep", "er", "weights 5%.bin"), "wb") as file:
            file.write(bytes(range(256)) * 5000)
        mlflow.log_artifacts(folder, "files")
    signature = mlflow.models.infer_signature(x_train, predicted)
    info = mlflow.sklearn.log_model(
        model, name="classifier", signature=signature, input_example=x_train[:2], params={"C": 0.5}, step=3
    )
    mlflow.log_metric("val_accuracy", 0.97, step=4, model_id=info.model_id, dataset=dataset)

print(run.info.run_id, info.model_id)
sys.stdout.flush()
