"""Differences to MLflow that are meant, each with its reason: (case, path in the answer, reason)."""

import re

WORDING = "the same error in other words: MLflow's show its database, its classes or its settings"

RULES = [
    # Artifacts, logged models and the registry.
    (r"models: .*(filter|order|bad token|page of another|search models|search versions).*", r"message", "what is wrong with a query is told by its place"),
    (r"models: .*backslash", r".*", "a name with a backslash is none on other systems, and stores are moved between them"),
    (r"models: (proxy get, a folder)", r"detail|error_code|message", "one form for all errors"),
    (r"models: get-artifact, a folder", r"message", "the path is that of the request"),
    (r"models: search by (dataset|context)", r"runs\[0\]\.inputs\.model_inputs", "MLflow leaves the models out of searches that runs/get has"),
    (r"models: log-model, too little", r"message", "MLflow lists what is missing in random order"),
    (r"models: log-model, no object", r"status|<answer>", "MLflow fails: 500"),
    (r"models: search datasets name", r"models", "MLflow's server takes a digest that is not given for none, and finds nothing"),
    (r"models: version, file", r"message", "the source is told as it was given"),
    (r"models: version, http proxy", r"message", "this server has no such variable"),
    (r"models: renamed to a taken one", r"message", "MLflow shows its SQL"),
    (r"experiment: (create, taken|rename, taken)|deleted: its name is taken|run: create, no experiment|"
     r"experiment: create, long location", "message", WORDING),
    (r"(runs|experiments): bad (filter|order).*", "message", "a filter or order that is not understood is shown by its place"),
    (r"runs: bad order, twice", "status|error_code", "a field named twice is the caller's mistake: 500 makes clients repeat it for minutes"),
    (r"run: (running again|scheduled)", r"run_info\.end_time", "a run that is not over has no end"),
    (r"metric: infinite, read", r"metrics\[0\]\.value", "infinities stay what they are; SQL has no room for them"),
    (r"metric: value is a list", "status|<answer>", "MLflow fails with a page of HTML"),
    (r"metric: (value is true|small nan|time is a fraction|step is a fraction|step is huge)|batch: value is a word|history: word",
     ".*", "a value of another type is refused; MLflow drops it and what comes after it, and writes or answers what is left"),
    (r"interval: sampled", "metrics", "each bucket keeps its first, smallest, largest and last point; MLflow keeps its first"),
    (r"server: its kind", r"features_enabled\.gateway|presigned_upload_(run|model)_id_supported", "there is no gateway, and artifacts go through the server"),
    (r"server: (no such endpoint|another method)", "<answer>", "errors of the API are JSON; MLflow shows a page of HTML"),
]


def find(name, path, theirs, ours):
    """The number of the rule that explains a difference, if one does."""
    for index, (case, where, _) in enumerate(RULES):
        if re.fullmatch(case, name) and re.fullmatch(where, path):
            return index
    return None
