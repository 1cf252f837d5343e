"""Reads exported tables with DuckDB, pandas and polars, and compares them with what was logged.

Arguments: the folder with points.* and runs.*, and expected.json.
"""

import json
import pathlib
import sys

import duckdb
import numpy
import pandas
import polars
import pyarrow.dataset
import pyarrow.feather
import pyarrow.ipc

folder = pathlib.Path(sys.argv[1])
expected = json.loads((folder / "expected.json").read_text())
ROWS = len(expected["step"])


def path(table, ending):
    return str(folder / f"{table}.{ending}")


def check_points(reader, run, metric, step, time_ms, value):
    """Columns as they were logged, values bit for bit."""
    assert list(run) == expected["run"], reader
    assert list(metric) == expected["metric"], reader
    assert numpy.array_equal(step, numpy.array(expected["step"], dtype="int64")), reader
    assert numpy.array_equal(time_ms, numpy.array(expected["time"], dtype="int64")), reader
    bits = numpy.ascontiguousarray(value, dtype="float64").view("int64")
    assert numpy.array_equal(bits, numpy.array(expected["bits"], dtype="int64")), reader
    print("ok: points,", reader)


def check_runs(reader, rows):
    """Rows as dictionaries; what a run lacks is None."""
    ids = [row["run_id"] for row in rows]
    assert ids == [f"{number:02x}" * 16 for number in (1, 2, 3, 4)], (reader, ids)
    long, gone, empty, live = rows
    assert (long["run_name"], long["user_id"], long["params.lr"], long["tags.note"]) == ("long", "ada", "0.1", "\u00e4, \"b\""), reader
    assert long["metrics.loss"] == 1.0 / 150_000 and long["metrics.val/acc"] == -1.0 / 150_000, reader
    assert (long["status"], live["status"], live["end_time"]) == ("FINISHED", "RUNNING", None), reader
    assert (long["lifecycle_stage"], gone["lifecycle_stage"]) == ("active", "deleted"), reader
    assert long["start_time"].timestamp() == 1_700_000_000.001 and long["start_time"].utcoffset().total_seconds() == 0, reader
    assert gone["metrics.loss"] == float("-inf") and gone["params.opt"] == "adam" and gone["run_name"] is None, reader
    assert empty["metrics.loss"] is None and empty["params.lr"] is None and empty["experiment_name"] == "Default", reader
    print("ok: runs,", reader)


def pandas_points(reader, frame):
    assert frame.dtypes["run"] == "category" and frame.dtypes["metric"] == "category", (reader, frame.dtypes)
    assert str(frame.dtypes["time"]) == "datetime64[ms, UTC]", (reader, frame.dtypes)
    check_points(reader, frame["run"], frame["metric"], frame["step"], frame["time"].astype("int64"), frame["value"])
    means = frame[numpy.isfinite(frame["value"])].groupby("metric", observed=True)["value"].count()
    assert means["val/acc"] == 149_850, reader


def pandas_runs(reader, frame):
    # pandas has no None of its own in columns of numbers and times.
    frame = frame.astype(object).where(frame.notna(), None)
    check_runs(reader, frame.to_dict("records"))


for ending, read in [("parquet", pandas.read_parquet), ("arrow", pandas.read_feather)]:
    pandas_points(f"pandas, {ending}", read(path("points", ending)))
    pandas_runs(f"pandas, {ending}", read(path("runs", ending)))
for table, check in [("points", pandas_points), ("runs", pandas_runs)]:
    with pyarrow.ipc.open_stream(path(table, "arrows")) as stream:
        check("pandas, stream", stream.read_pandas())


def polars_points(reader, frame):
    assert frame["time"].dtype == polars.Datetime("ms", "UTC"), (reader, frame.schema)
    check_points(
        reader,
        frame["run"].cast(polars.String),
        frame["metric"].cast(polars.String),
        frame["step"].to_numpy(),
        frame["time"].to_physical().to_numpy(),
        frame["value"].to_numpy(),
    )


for ending, read in [("parquet", polars.read_parquet), ("arrow", polars.read_ipc), ("arrows", polars.read_ipc_stream)]:
    polars_points(f"polars, {ending}", read(path("points", ending)))
    check_runs(f"polars, {ending}", read(path("runs", ending)).to_dicts())
lazy = polars.scan_parquet(path("points", "parquet")).filter(polars.col("step") == 5).collect()
assert lazy.height == 2, lazy


def duckdb_points(reader, source, connection):
    found = connection.sql(f"select run, metric, step, epoch_ms(time) as ms, value from {source}").fetchnumpy()
    check_points(reader, found["run"], found["metric"], found["step"], found["ms"], found["value"])
    first = connection.sql(f"select count(*) from {source} where metric = 'loss' and step < 10").fetchall()
    assert first == [(11,)], (reader, first)


def duckdb_runs(reader, source, connection):
    found = connection.sql(f"select * from {source}")
    check_runs(reader, [dict(zip(found.columns, row)) for row in found.fetchall()])


connection = duckdb.connect()
connection.sql("set timezone = 'UTC'")
# What is read in parallel keeps its order.
connection.sql("set preserve_insertion_order = true")
for ending in ["parquet", "arrow", "arrows"]:
    tables = {}
    for table in ["points", "runs"]:
        if ending == "parquet":
            tables[table] = f"'{path(table, ending)}'"
            continue
        # Files of Arrow reach DuckDB through pyarrow, as its documentation has it.
        if ending == "arrow":
            read = pyarrow.feather.read_table(path(table, ending), memory_map=True)
        else:
            read = pyarrow.ipc.open_stream(path(table, ending)).read_all()
        tables[table] = f"{table}_{ending}"
        connection.register(tables[table], read)
    duckdb_points(f"DuckDB, {ending}", tables["points"], connection)
    duckdb_runs(f"DuckDB, {ending}", tables["runs"], connection)
    joined = f"select count(*) from {tables['points']} join {tables['runs']} on run = run_id where run_name = 'long'"
    assert connection.sql(joined).fetchall() == [(300_000,)], ending
print("versions:", duckdb.__version__, pandas.__version__, polars.__version__, pyarrow.__version__)
