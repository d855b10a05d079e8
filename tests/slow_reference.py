"""The choice and the verdict in plain loops, written from the words of the rules, to hold the fast ones against."""

import math
from contextlib import contextmanager

import numpy as np

from multihop_search.keys import rng_of
from multihop_search.search import run
from multihop_search.search.selection import select


def unit_sums(row_scores, unit, weights):
    """Return, for each trial, the weighted sum of its row scores in each unit; and the weight of each unit."""
    units = range(max(unit) + 1)
    sums = [
        [sum(s * w for s, w, u in zip(scores, weights, unit, strict=True) if u == k) for k in units]
        for scores in row_scores
    ]
    return sums, [sum(w for w, u in zip(weights, unit, strict=True) if u == k) for k in units]


def mean(sums, weights, sample):
    """Return the weighted mean score over the units in `sample`, each as often as it stands there."""
    return sum(sums[k] for k in sample) / sum(weights[k] for k in sample)


def squared_error(best, other, weights, sample):
    """Return the squared standard error of the paired difference of two trials over the units in `sample`."""
    gap = mean(best, weights, sample) - mean(other, weights, sample)
    total = sum(weights[k] for k in sample)
    return sum((best[k] - other[k] - gap * weights[k]) ** 2 for k in sample) / total**2


def slow_choice(sums, weights, hops, sample, trials):
    """Return the best trial by score, or the simplest within one standard error of it; ties to the lowest number."""
    means = {t: mean(sums[t], weights, sample) for t in trials}
    best = min(trials, key=lambda t: (-means[t], t))
    within = [
        t
        for t in trials
        if t == best or (means[best] - means[t]) ** 2 <= squared_error(sums[best], sums[t], weights, sample)
    ]
    return min(within, key=lambda t: (hops[t], -means[t], t))


def slow_gains(row_scores, hops, unit, weights, n_draws, random_state):
    """Return the out-of-bag gains of each draw, for the three comparisons, and the mean score of each group."""
    sums, totals = unit_sums(row_scores, unit, weights)
    n_units, everyone = len(totals), range(len(hops))
    drawn = rng_of(random_state, "bbc").integers(n_units, size=(n_draws, n_units))
    members = {
        "plain": [t for t in everyone if hops[t] == 0],
        "one-hop": [t for t in everyone if hops[t] == 1],
        "multi-hop": [t for t in everyone if hops[t] >= 2],
        "selected": list(everyone),
    }
    scores = {group: [] for group in members}
    for bag in drawn.tolist():
        outside = [k for k in range(n_units) if k not in bag]
        for group, trials in members.items():
            chosen = slow_choice(sums, totals, hops, bag, trials)
            scores[group].append(mean(sums[chosen], totals, outside) if outside else np.nan)
    found = {group: np.array(values) for group, values in scores.items()}
    pairs = (("one-hop", "plain"), ("multi-hop", "one-hop"), ("selected", "plain"))
    gains = {f"{better} vs {worse}": found[better] - found[worse] for better, worse in pairs}
    return gains, {group: np.nanmean(values) for group, values in found.items()}


def slow_log_score(proba, label):
    """Return the default score of one row: the log of its label's probability, floored at 1e-3 and renormalised."""
    floored = [max(float(p), 1e-3) for p in proba]
    return math.log(floored[label] / sum(floored))


def slow_blend(proba, y, believed):
    """Return for each row 3/4 of its default score, and 1/4 of what is expected if its class is as believed."""
    blended = []
    for row, label, q in zip(proba, y, believed, strict=True):
        expected = sum(share * slow_log_score(row, code) for code, share in enumerate(q))
        blended.append(0.75 * slow_log_score(row, label) + 0.25 * expected)
    return blended


class Watched:
    """Stands in for the selection of a search, to choose by hand from what it was given; for rows of equal weight."""

    def __call__(self, assessment, trials, prefixes, teacher, believed, *, judges, with_fits=(), deadline=None):
        self.problem, self.trials, self.outputs = assessment.problem, trials, teacher.outputs
        return select(assessment, trials, prefixes, teacher, believed, judges=judges, with_fits=with_fits)

    @contextmanager
    def watching(self):
        """Watch the searches that are fitted inside."""
        run.select = self
        try:
            yield
        finally:
            run.select = select

    def believed(self):
        """Return the calibrated probabilities of the teacher on the held-out rows, fold after fold."""
        rows = np.concatenate([fold.test for fold in self.problem.folds])
        raised = [[float(p) ** (1 / self.outputs.temperature) for p in self.outputs.predictions[row]] for row in rows]
        return self.problem.y[rows], [[p / sum(row) for p in row] for row in raised]

    def chosen(self, student="student"):
        """Return the number of the trial that the rules choose."""
        y, believed = self.believed()
        mine = list(self.trials.kept(student))
        scores = [slow_blend(found, y, believed) for _, found in mine]
        hops, sample = [record.hops for record, _ in mine], range(len(y))
        return mine[slow_choice(scores, [1.0] * len(y), hops, sample, range(len(mine)))][0].number
