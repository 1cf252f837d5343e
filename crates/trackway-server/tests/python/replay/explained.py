"""Differences to MLflow that are meant, each with its reason: (case, path in the answer, reason)."""

import re

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
]


def find(name, path, theirs, ours):
    """The number of the rule that explains a difference, if one does."""
    for index, (case, where, _) in enumerate(RULES):
        if re.fullmatch(case, name) and re.fullmatch(where, path):
            return index
    return None
