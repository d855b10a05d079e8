"""`MultihopSearchClassifier`: the search for a simple classifier."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from sklearn.base import ClassifierMixin
from sklearn.utils import Tags, get_tags
from sklearn.utils.metaestimators import available_if

from multihop_search.search.base import MultihopSearch
from multihop_search.search.delegation import student_has
from multihop_search.search.settings import named_students


class MultihopSearchClassifier(ClassifierMixin, MultihopSearch):  # type: ignore[misc]
    """Search for the path of hops that makes a simple classifier better, and say honestly by how much.

    Parameters
    ----------
    student : classifier or list of (str, classifier)
        The simple model to deploy. Its class and its size (depth, leaves, trees) are a bound that is never exceeded.
        Several share one search: every one is given `n_trials`, prefixes are shared, and each has its own verdict.
    teacher : "auto" or classifier, default="auto"
        The complex model; always cloned, unless it is wrapped in `sklearn.frozen.FrozenEstimator`. "auto": the mean
        of a random forest of 100 trees and a booster of 30 rounds; with more than ten classes the forest alone.
    param_distributions : "auto" or dict of str to Optuna distribution or list, default="auto"
        What is searched of the student's own parameters, at every number of hops, 0 too. "auto" tunes a documented list
        per class (see `multihop_search.models.tuning`); {} keeps the student as it is. With several students the keys
        are ``student__parameter``.
    intermediates : "auto" or list of (str, classifier), default="auto"
        Models between teacher and student, most complex first. "auto": a pool of a small forest, deeper trees
        and a linear model, and truncations of the teacher, as far as they lie between the two in measured complexity.
    schemes : "auto" or list of Scheme and ModelCompression, default="auto"
        How knowledge passes over a hop, and whether rows are added to it. "auto": distillation, confidence and ratio
        weights (hard labels where a student takes no weights), and 0, 5 or 10 synthetic rows for each training row.
    tree_fits : "auto" or list of TreeFit, default="auto"
        How tree students are fitted, at every number of hops. "auto": by their class with and without hierarchical
        shrinkage, and refined and near-optimal with shrinkage where the student is a tree of at most 8 levels whose
        settings they keep; for students that are no trees this says nothing.
        The last one is tried first with a hop, and in half of the later trials with hops.
    portfolio : "auto", None, list of dict or dict of str to list of dict, default="auto"
        Paths that each student tries first, in this order, as values of the names of ``space_``: for instance
        ``{"n_hops": 1, "scheme": "SRatio", "fit": "OwnFit+shrinkage", "min_samples_leaf": 10}``. Names of the
        student stand without the student's own name and steps; what an entry does not hold has its usual value. A dict
        holds a list for each student by its name. "auto": the student as it was set, then paths that were learned on
        many data sets, where its family and these settings have some. None, or where there are none: the student as it
        was set, by each way of fitting, plain and taught by each scheme.
    max_hops : int, default=3
        Most hops of a path. 0 tunes the plain student alone.
    max_rows : int or None, default=10_000
        Most rows that trials are run on, drawn by `random_state` and by class, or whole groups. Of the others
        at most 50,000 judge what is chosen, as rows held out (with splits of your own, nobody but the sample
        judges), and the chosen path is fitted on all of these rows afterwards. None: all rows.
    n_trials : int or None, default=None
        Trials of each student. None: its portfolio and no more, or 30 where nothing is known of it. Trials after the
        portfolio are drawn at random, a third each plain, one-hop and of two hops or more.
    timeout : float or None, default=None
        Seconds for everything: trials end so early that verdict and refit are done by then, as far as the folds say how
        long these take. One trial of each student is run in any case, and a call that has begun is not cut short. Paths
        without hops come first then; where there is no time to fit the chosen path on all rows, it is fitted on
        those searched.
    n_trials_no_change : int or None, default=None
        Trials of each student without a better one after which the search ends. None: it goes on.
    budget : dict or None, default=None
        Bounds that no student may exceed, the plain and one-hop rivals too: "nodes" (of trees, or coefficients of a
        linear model that are not 0), "features" (columns that it reads), "size_bytes" (of its pickle), "latency_us"
        (to predict one row; measured, so that such a search cannot be repeated exactly). Given to Optuna as
        constraints.
    cv : int, splitter or iterable of (train, test), default=5
        Outer folds. An integer is stratified, shuffled by `random_state`, and by group where groups are given.
    crossfit_cv : int or False, default=3
        Inner folds in which models above the last hop predict rows that they were not fitted on. False: in-sample, for
        comparison only.
    scoring : "auto", str, scorer or callable, default="auto"
        "auto" is the log-loss with probabilities floored at 1e-3. Greater is better.
    tolerance : float, default=1.0
        How many standard errors behind the best score a path may be and still be chosen: of such paths the one with
        the fewest hops is taken. 0 takes the best.
    verdict : "bbc", "nested" or float, default="bbc"
        Which rows judge the gain. "bbc": the held-out rows of the folds, by bootstrap bias-corrected cross-
        validation; no further fit; of more than `max_rows` rows those that are not searched. "nested": the
        held-out rows, by models of the whole search run again without each outer fold; with K folds (K - 1) / 2
        times as many fits again, up to K - 1 times if the sampler learns. A share between 0 and 1: that many
        rows, held out of the whole search, by group where groups are given; all rows are fitted on afterwards.
        Rows of your own that the search does not see are arguments of `fit`: `X_fresh` and `y_fresh`.
    sampler : "auto" or callable, default="auto"
        "auto" is random search by key. Else a function of a seed that returns an Optuna sampler; a sampler that learns
        is told scores on one half of the held-out rows, and the other half judges.
    pruner : "auto" or Optuna pruner, default="auto"
        "auto" stops a path of two hops or more once it is, row by row, clearly worse than the best one-hop path known
        when it was asked. ``optuna.pruners.NopPruner()`` stops nothing. Plain and one-hop paths run all folds.
    n_ahead : int, default=16
        Trials asked but not yet told; part of the result when the sampler learns.
    hop_timeout : float or None, default=None
        Seconds that the fits of one hop in one fold may take. A longer one is ended and tried once more, then its trial
        fails. Needs workers: `n_jobs` above 1 or an executor on Ray.
    checkpoint : path or None, default=None
        Folder where every finished trial is written down. A search that was stopped or killed and is told again, with
        the same data and settings, runs none of them again and ends as if it had never been interrupted; it may have
        more trials, another portfolio, timeout or executor. Searches of other data or settings have logs of their own
        in the same folder. `random_state` has to be an integer.
    callbacks : iterable of callable or None, default=None
        Called as ``callback(study, trial)`` after each told trial, as in `optuna.Study.optimize`, with a study of the
        told trials; ``study.stop()`` in
        one of them ends the search. What has a method `flush` is asked to flush at the end.
    executor : executor or None, default=None
        Where hops run, for instance `RayExecutor(n_workers=4)`. With the same CPUs per hop the trials, scores, choice
        and verdict are the same everywhere.
    n_jobs : int or None, default=None
        Above 1: that many hops at once on a local Ray, unless the search is so small that its start takes longer. None
        obeys `joblib.parallel_config`.
    random_state : int, RandomState or None, default=None
        Everything random is derived from it.
    verbose : int, default=0
        1 shows a progress bar with the best score and the one-hop baseline.

    Attributes
    ----------
    best_estimator_ : classifier
        The student of the chosen path fitted on all rows: an object of the user's own class.
    best_path_ : Path
        The chosen path.
    best_score_ : float
        Its cross-validated score. It is optimistic, as every cross-validated best is: see `verdict_`.
    best_index_ : int
        Number of the chosen trial.
    best_trial_ : optuna.trial.FrozenTrial
        The chosen trial; ``space_.suggest(best_trial_) == best_path_``.
    best_params_ : dict
        Its parameters in the space.
    verdict_ : Verdict
        What was gained, and how sure that is. ``print(search.verdict_)``.
    verdicts_ : dict of str to Verdict
        The same for each student, by name; `verdict_` is that of `best_estimator_`.
    chosen_ : dict of str to int
        Number of the chosen trial of each student; ``refit_trial`` fits it.
    results_ : DataFrame
        A row for each told trial; `on_front` marks those that no other beats in score, size, latency and features;
        latencies are measured, so this mark may differ from run to run.
    cv_results_ : dict of ndarray
        The same under the names that scikit-learn's searches use.
    study_ : optuna.Study
        Every told trial, with the scores that the sampler was told.
    space_ : PathSpace
        What was searched.
    paths_ : tuple of Path
        The path of each told trial.
    out_of_fold_ : OutOfFoldPredictions
        Predictions of the trials and the teacher on the held-out rows, by which was chosen; None after unpickling.
    setup_ : Setup or None
        For a look inside: `problem` (rows, folds, score), `ladder` (models by name) and `space`, as `set_up` returns
        them. None after unpickling: it holds the training rows.
    making_ : Making
        Rows, columns, folds, seconds and versions of the search, as its page shows them.
    teacher_ : classifier
        The teacher, fitted on all rows, or on the rows searched where there are more and the chosen path does not need
        it. Absent where `timeout` left no time for a teacher.
    path_models_ : dict of str to classifier
        The fitted models of the chosen path, from the teacher to the student.
    scorer_ : Scoring
        Callable as ``scorer_(estimator, X, y)``.
    multimetric_ : bool
        False: one score chooses.
    n_splits_ : int
        Number of outer folds.
    refit_time_ : float
        Seconds of the refit.
    classes_, n_features_in_, feature_names_in_
        As everywhere in scikit-learn.

    Raises
    ------
    InvalidSetting, InvalidData : ValueError
        If an argument or the rows cannot be used.
    UnsuitableModel : TypeError
        If a model lacks what its place needs.
    SearchFailed : RuntimeError
        If the plain student cannot be fitted, or no student is within the budget.
    ClusterLost : ConnectionError
        If Ray cannot be reached or is lost.

    References
    ----------
    Implements the meta-approach described in the abstract of Dhurandhar and Pedapati, "Multihop: Leveraging Complex
    Models to Learn Accurate Simple Models", 2021, arXiv:2109.06961; how paths are searched and judged is ours.

    Examples
    --------
    >>> from sklearn.datasets import load_wine
    >>> from sklearn.ensemble import RandomForestClassifier
    >>> from sklearn.tree import DecisionTreeClassifier
    >>> from multihop_search import MultihopSearchClassifier
    >>> X, y = load_wine(return_X_y=True)
    >>> search = MultihopSearchClassifier(
    ...     DecisionTreeClassifier(max_depth=2), RandomForestClassifier(30), n_trials=3, random_state=0
    ... ).fit(X, y)
    >>> type(search.best_estimator_).__name__, search.best_estimator_.get_depth()
    ('DecisionTreeClassifier', 2)
    >>> list(search.verdict_.table.index)
    ['one-hop vs plain', 'multi-hop vs one-hop', 'selected vs plain', 'selected vs own fit']
    """

    score = MultihopSearch.score  # the mixin has one of its own
    _regression: ClassVar[bool] = False

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        of_students = [get_tags(student).classifier_tags for student in named_students(self.student).values()]
        tags.classifier_tags.multi_class = all(of is None or of.multi_class for of in of_students)
        return tags

    @available_if(student_has("predict_proba"))  # type: ignore[untyped-decorator]
    def predict_proba(self, X: Any) -> np.ndarray:
        """Predict class probabilities (n_rows, n_classes) with `best_estimator_`."""
        return np.asarray(self._delegate("predict_proba", X))

    @available_if(student_has("predict_log_proba"))  # type: ignore[untyped-decorator]
    def predict_log_proba(self, X: Any) -> np.ndarray:
        """Predict logarithms of class probabilities (n_rows, n_classes) with `best_estimator_`."""
        return np.asarray(self._delegate("predict_log_proba", X))

    @available_if(student_has("decision_function"))  # type: ignore[untyped-decorator]
    def decision_function(self, X: Any) -> np.ndarray:
        """Return the decision function of `best_estimator_`."""
        return np.asarray(self._delegate("decision_function", X))
