"""What each row of the score tables is of, in a sentence."""

import re

_POOLED = "out of fold, all folds ranked together"
_STEPS = (
    (r"member (?P<name>.+)", "the scores of {name} alone, " + _POOLED),
    (r"mean of members", "the plain mean of the members' scores, " + _POOLED),
    (r"stack: .+", "the members' scores weighed; the weights are fitted without the fold they are scored on"),
    (r"calibration: .+", "the stack's scores as probabilities, which are fitted without the fold they are scored on; "
     "small folds get different curves, so ranking all folds together may lose some average precision"),
    (r"threshold 0\.5", "calls at a probability of 0.5"),
    (r"one threshold", "calls at one threshold for all classes"),
    (r"own thresholds: .+", "calls at a threshold for each class: the calls that are reported"),
    (r"an oracle's thresholds", "the best thresholds in hindsight: what no choice of thresholds can exceed"),
    (r"(?P<kind>\w+) folds, (?P<name>.+) alone",
     "{name} alone in {kind} folds, the mean over the folds of the ranking within each: compare the two kinds of folds "
     "with each other, not with the steps; the difference is what splitting groups would flatter"),
    (r"held-out groups", "whole groups that no model, weight or threshold has seen"),
    (r"\w+ folds", "the reported probabilities and calls, out of fold"),
)  # fmt: skip


def what_it_is(name: str) -> str:
    """The sentence for a row of the leaderboard's steps and splits; "" for a name that is not known."""
    for pattern, sentence in _STEPS:
        if found := re.fullmatch(pattern, name):
            return sentence.format(**found.groupdict())
    return ""
