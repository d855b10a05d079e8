"""Paths and the space that they are drawn from: no draw is invalid, every path can be written back, all go down."""

import os
import pickle
import subprocess
import sys
from dataclasses import FrozenInstanceError

import optuna
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.trial import FixedTrial

from multihop_search import ConfWeight, HardLabels, Hop, KnowledgeDistillation, Path, PathSpace, StudentSpace, Truncate
from multihop_search.errors import InvalidSetting

pytestmark = pytest.mark.once

KD = KnowledgeDistillation(alpha=0.5, temperature=1.0)
SCHEMES = [
    KnowledgeDistillation(),
    HardLabels(),
    ConfWeight(),
    KnowledgeDistillation(alpha=CategoricalDistribution([0.3, 0.9]), temperature=2.0),
]
STUDENT = {
    "criterion": CategoricalDistribution(["gini", "entropy"]),
    "min_samples_leaf": IntDistribution(1, 64, log=True),
    "ccp_alpha": FloatDistribution(0.0, 0.01),
    "max_features": CategoricalDistribution([None, "sqrt", 0.5]),
}
DEFAULTS = {"criterion": "gini", "min_samples_leaf": 1, "ccp_alpha": 0.0, "max_features": None}

always = settings(deadline=None, derandomize=True, database=None, max_examples=100)


def one_student(distributions, defaults):
    return {"student": StudentSpace(distributions, defaults)}


@st.composite
def spaces(draw):
    """Any space: with or without intermediates, truncations, schemes and parameters of the student."""
    cuts = [Truncate(k) for k in draw(st.sets(st.sampled_from([10, 30, 100])))]
    selected = draw(st.sets(st.sampled_from(["forest(30)", "boosting(20)", "tree(12)", "linear"])))
    rungs = draw(st.permutations(sorted([*(cut.model for cut in cuts), *selected])))
    schemes = draw(st.lists(st.sampled_from(SCHEMES), max_size=3, unique_by=type))
    student = draw(st.sets(st.sampled_from(sorted(STUDENT))))
    return PathSpace(
        rungs,
        schemes,
        one_student({name: STUDENT[name] for name in sorted(student)}, {name: DEFAULTS[name] for name in student}),
        truncations=cuts,
        max_hops=draw(st.integers(0, 4)),
    )


def values(distribution):
    if isinstance(distribution, CategoricalDistribution):
        return st.sampled_from(distribution.choices)
    if isinstance(distribution, IntDistribution):
        return st.integers(distribution.low, distribution.high)
    return st.floats(distribution.low, distribution.high)


def draws(space):
    return st.fixed_dictionaries({name: values(dist) for name, dist in space.distributions.items()})


@st.composite
def spaces_and_draws(draw, n_draws=1):
    space = draw(spaces())
    return space, *(draw(draws(space)) for _ in range(n_draws))


@pytest.fixture(scope="module")
def space():
    return PathSpace(
        ["teacher[:100]", "forest(30)", "teacher[:10]", "tree(8)"],
        SCHEMES[:3],
        one_student(STUDENT, DEFAULTS),
        truncations=[Truncate(100), Truncate(10)],
        max_hops=4,
    )


# What holds for every draw


@always
@given(spaces_and_draws())
def test_a_path_is_written_and_read_back(drawn):
    space, params = drawn
    path = space.decode(params)
    written = space.encode(path)
    assert space.decode(written) == path
    assert space.suggest(FixedTrial(written)) == path  # a fixed trial refuses values outside the distributions
    assert list(written) == list(space.distributions)


@always
@given(spaces_and_draws())
def test_a_path_goes_down_and_visits_each_rung_once(drawn):
    space, params = drawn
    path = space.decode(params)
    places = [space.rungs.index(hop.model) for hop in path.prefix]
    assert places == sorted(set(places))
    assert len(path.hops) <= params["n_hops"] <= space.max_hops
    assert (len(path.hops) == 0) == (params["n_hops"] == 0)
    assert all(not isinstance(hop.scheme, Truncate) for hop in path.hops[1:])
    assert all(isinstance(hop.scheme, Truncate) == (hop.model.startswith("teacher")) for hop in path.hops)
    assert [hop.model for hop in path.hops[-1:]] in ([], ["student"])


@always
@given(spaces_and_draws())
def test_every_scheme_on_a_path_is_resolved_and_every_student_parameter_is_set(drawn):
    space, params = drawn
    path = space.decode(params)
    assert all(isinstance(hop.scheme, Truncate) or not hop.scheme.searched() for hop in path.hops)
    own = space.students["student"].distributions
    assert path.student == "student"
    assert dict(path.params) == {name: params[f"student.{name}"] for name in own}
    assert [name for name, _ in path.params] == sorted(own)


@always
@given(spaces_and_draws(n_draws=2))
def test_padding_does_not_change_a_path(drawn):
    space, params, padding = drawn
    n_hops = params["n_hops"]
    used = {"n_hops", *(f"student.{name}" for name in space.students["student"].distributions)}
    if n_hops:
        used |= {"scheme", *(f"upper_{slot}" for slot in range(1, n_hops))}
        used |= {name for name in params if name.startswith(f"{params['scheme']}.")}
    mixed = {name: params[name] if name in used else padding[name] for name in params}
    path, same = space.decode(params), space.decode(mixed)
    assert same == path
    assert (hash(same), same.key, str(same)) == (hash(path), path.key, str(path))


@always
@given(spaces_and_draws(n_draws=2))
def test_paths_have_equal_keys_if_and_only_if_they_are_equal(drawn):
    space, params, others = drawn
    one, other = space.decode(params), space.decode(others)
    assert (one.key == other.key) == (one == other)


@always
@given(spaces_and_draws())
def test_the_order_of_the_draws_does_not_change_the_models_of_a_path(drawn):
    space, params = drawn
    slots = [f"upper_{slot}" for slot in range(1, params["n_hops"])]
    reverse = dict(zip(slots, [params[slot] for slot in reversed(slots)], strict=True))
    path, other = space.decode(params), space.decode({**params, **reverse})
    assert [hop.model for hop in other.hops] == [hop.model for hop in path.hops]


@settings(always, max_examples=50)
@given(spaces(), st.integers(0, 2**31 - 1))
def test_live_frozen_and_fixed_trials_give_the_same_path(space, seed):
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=seed))
    live = study.ask()
    path = space.suggest(live)
    frozen = study.tell(live, 0.0)
    assert set(frozen.params) == set(space.distributions)  # padding is drawn too: samplers see one fixed space
    assert frozen.distributions == space.distributions
    assert space.suggest(frozen) == path
    assert space.suggest(FixedTrial(frozen.params)) == path
    assert space.decode(frozen.params) == path


@settings(always, max_examples=50)
@given(spaces())
def test_an_enqueued_path_is_the_path_of_the_next_trial(space):
    path = space.default("student", next(iter(space.schemes), None) if space.max_hops else None)
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    study.enqueue_trial(space.encode(path))
    assert space.suggest(study.ask()) == path


@settings(always, max_examples=50)
@given(spaces_and_draws())
def test_a_space_and_its_paths_are_pickled_by_value(drawn):
    space, params = drawn
    path, other = pickle.loads(pickle.dumps((space.decode(params), space)))
    assert path == space.decode(params)
    assert hash(path) == hash(space.decode(params))
    assert path in {space.decode(params)}
    assert other.decode(params) == path
    assert other.distributions == space.distributions


@always
@given(spaces())
def test_every_dimension_is_printed(space):
    lines = str(space).splitlines()
    for line, name in zip(lines, space.distributions, strict=True):
        assert line.startswith(name)
        assert len(line) > len(name)


# What a draw means, by hand


def test_rungs_are_visited_from_the_most_complex_down_whatever_was_drawn_first(space):
    tree, forest = "tree(8) <- HardLabels", "forest(30) <- ConfWeight"
    params = space.encode(space.default("student", "HardLabels")) | {"n_hops": 3, "upper_1": tree, "upper_2": forest}
    assert space.decode(params).hops == (
        Hop(ConfWeight(), "forest(30)"),
        Hop(HardLabels(), "tree(8)"),
        Hop(HardLabels(), "student"),
    )


def test_a_rung_drawn_twice_is_visited_once_with_its_first_scheme(space):
    params = space.encode(space.default("student", "HardLabels")) | {
        "n_hops": 3,
        "upper_1": "tree(8) <- ConfWeight",
        "upper_2": "tree(8) <- HardLabels",
    }
    assert space.decode(params).hops == (Hop(ConfWeight(), "tree(8)"), Hop(HardLabels(), "student"))


def test_a_truncated_teacher_is_the_first_hop_or_none(space):
    params = space.encode(space.default("student", "HardLabels")) | {"n_hops": 4}
    drawn = {"upper_1": "Truncate(10)", "upper_2": "forest(30) <- HardLabels", "upper_3": "Truncate(100)"}
    assert [hop.model for hop in space.decode(params | drawn).hops] == ["teacher[:100]", "forest(30)", "student"]
    drawn = {"upper_1": "Truncate(10)", "upper_2": "forest(30) <- HardLabels", "upper_3": "tree(8) <- HardLabels"}
    assert [hop.model for hop in space.decode(params | drawn).hops] == ["forest(30)", "tree(8)", "student"]
    drawn = {"upper_1": "Truncate(10)", "upper_2": "Truncate(10)", "upper_3": "Truncate(10)"}
    assert [hop.model for hop in space.decode(params | drawn).hops] == ["teacher[:10]", "student"]


def test_hops_above_the_last_take_the_usual_values_of_their_scheme(space):
    assert "tree(8) <- KnowledgeDistillation(alpha=0.5, temperature=1)" in space.menu
    assert space.menu["tree(8) <- KnowledgeDistillation(alpha=0.5, temperature=1)"] == Hop(
        KnowledgeDistillation(alpha=0.5, temperature=1.0), "tree(8)"
    )


def test_the_menu_is_bounded_and_offers_each_rung_with_the_first_scheme():
    rungs = [f"tree({depth})" for depth in range(20, 0, -1)]
    space = PathSpace(rungs, [KD, HardLabels(), ConfWeight()], one_student({}, {}), max_hops=2)
    menu = space.distributions["upper_1"].choices
    assert len(menu) == 24
    assert {hop.model for hop in space.menu.values()} == set(rungs)


@pytest.mark.parametrize(
    ("rungs", "schemes", "asked", "offered"),
    [
        ([], [], 3, 0),  # no scheme: no hop
        ([], [KD], 3, 1),
        (["forest"], [KD], 3, 2),
        (["forest", "tree"], [KD], 3, 3),
        (["forest", "tree"], [KD], 1, 1),
        (["forest", "tree"], [KD], 0, 0),
    ],
)
def test_a_path_has_at_most_one_hop_more_than_there_are_rungs(rungs, schemes, asked, offered):
    space = PathSpace(rungs, schemes, one_student({}, {}), max_hops=asked)
    assert space.max_hops == offered
    assert space.distributions["n_hops"] == IntDistribution(0, offered)


def test_the_default_paths_are_the_students_own_parameters_plain_and_under_each_scheme(space):
    own = (("ccp_alpha", 0.0), ("criterion", "gini"), ("max_features", None), ("min_samples_leaf", 1))
    assert space.default("student") == Path((), own)
    usual = KnowledgeDistillation(alpha=0.5, temperature=1.0)
    assert space.default("student", "KnowledgeDistillation") == Path((Hop(usual, "student"),), own)
    assert space.default("student", "HardLabels") == Path((Hop(HardLabels(), "student"),), own)


def test_schemes_of_one_class_are_told_apart_by_number():
    fixed = KnowledgeDistillation(alpha=1.0, temperature=5.0)
    space = PathSpace([], [KnowledgeDistillation(), fixed], one_student({}, {}), max_hops=1)
    assert space.distributions["scheme"].choices == ("KnowledgeDistillation", "KnowledgeDistillation#2")
    assert space.default("student", "KnowledgeDistillation#2").hops == (Hop(fixed, "student"),)


# Refused


@pytest.mark.parametrize(
    "path",
    [
        Path((Hop(KD, "forest"),), (("depth", 2),)),  # ends above the student
        Path((Hop(KD, "unknown"), Hop(KD, "student")), (("depth", 2),)),
        Path((Hop(KD, "tree"), Hop(KD, "forest"), Hop(KD, "student")), (("depth", 2),)),  # goes up
        Path((Hop(KD, "tree"), Hop(KD, "tree"), Hop(KD, "student")), (("depth", 2),)),
        Path((Hop(HardLabels(), "student"),), (("depth", 2),)),  # no such scheme
        Path((Hop(KnowledgeDistillation(alpha=0.6, temperature=1.0), "student"),), (("depth", 2),)),
        Path((Hop(KnowledgeDistillation(), "student"),), (("depth", 2),)),  # not resolved
        Path((Hop(HardLabels(), "tree"), Hop(KD, "student")), (("depth", 2),)),
        Path((Hop(Truncate(30), "teacher[:30]"), Hop(KD, "student")), (("depth", 2),)),
        Path((Hop(KD, "forest"), Hop(Truncate(10), "teacher[:10]"), Hop(KD, "student")), (("depth", 2),)),
        Path((Hop(Truncate(10), "teacher[:10]"),), (("depth", 2),)),
        Path((Hop(KD, "forest"), Hop(KD, "tree"), Hop(KD, "tree"), Hop(KD, "student")), (("depth", 2),)),
        Path((), (("depth", 2), ("width", 3))),  # no such parameter
    ],
    ids=str,
)
def test_a_path_outside_the_space_is_refused(path):
    space = PathSpace(
        ["teacher[:10]", "forest", "tree"],
        [KD],
        one_student({"depth": IntDistribution(1, 3)}, {"depth": 2}),
        truncations=[Truncate(10)],
        max_hops=3,
    )
    with pytest.raises(InvalidSetting, match="the path must lie in the space"):
        space.encode(path)


def test_a_path_with_more_hops_than_the_space_has_is_refused():
    space = PathSpace(["forest", "tree"], [KD], one_student({}, {}), max_hops=2)
    longest = Path((Hop(KD, "forest"), Hop(KD, "student")))
    assert space.decode(space.encode(longest)) == longest
    with pytest.raises(InvalidSetting, match=r"forest .* tree .* student"):
        space.encode(Path((Hop(KD, "forest"), Hop(KD, "tree"), Hop(KD, "student"))))


# Values and words


def test_a_path_is_a_frozen_value():
    path = Path((Hop(KD, "student"),), (("max_depth", 2),))
    assert path == Path((Hop(KnowledgeDistillation(alpha=0.5, temperature=1.0), "student"),), (("max_depth", 2),))
    assert path != Path((Hop(KD, "student"),), (("max_depth", 3),))
    assert len({path, Path((), path.params), Path(path.hops, ()), Path((Hop(KD, "tree"), *path.hops))}) == 4
    with pytest.raises(FrozenInstanceError):
        path.hops = ()
    with pytest.raises(FrozenInstanceError):
        path.hops[0].model = "tree"


def test_the_prefix_is_what_stands_above_the_last_hop():
    forest, student = Hop(KD, "forest"), Hop(HardLabels(), "student")
    assert Path(()).prefix == ()
    assert Path((student,)).prefix == ()
    assert Path((forest, student)).prefix == (forest,)


@pytest.mark.parametrize(
    ("hops", "only"),
    [
        ((), False),
        ((Hop(KD, "student"),), False),
        ((Hop(Truncate(10), "teacher[:10]"), Hop(KD, "student")), True),
        ((Hop(Truncate(10), "teacher[:10]"), Hop(KD, "tree"), Hop(KD, "student")), False),
        ((Hop(KD, "tree"), Hop(KD, "student")), False),
    ],
)
def test_a_path_says_whether_multi_hop_means_only_a_truncated_teacher(hops, only):
    assert Path(hops).only_truncated is only


@pytest.mark.parametrize(
    ("path", "words"),
    [
        (Path(()), "student"),
        (Path((), (("criterion", "gini"), ("max_depth", 2))), "student(criterion=gini, max_depth=2)"),
        (Path((Hop(HardLabels(), "student"),)), "teacher -[HardLabels]-> student"),
        (
            Path(
                (Hop(Truncate(10), "teacher[:10]"), Hop(KD, "tree(8)"), Hop(ConfWeight(), "student")), (("C", 0.12345),)
            ),
            "teacher -[Truncate(10)]-> teacher[:10] -[KnowledgeDistillation(alpha=0.5, temperature=1)]-> tree(8) "
            "-[ConfWeight]-> student(C=0.123)",
        ),
    ],
)
def test_a_path_prints_from_the_teacher_down(path, words):
    assert str(path) == words


def test_a_space_prints_its_dimensions():
    space = PathSpace(
        ["teacher[:10]", "tree(8)"],
        [KnowledgeDistillation(temperature=1.0), HardLabels()],
        one_student(
            {"max_depth": IntDistribution(2, 6, step=2), "C": FloatDistribution(0.001, 10.0, log=True)},
            {"max_depth": 2, "C": 1.0},
        ),
        truncations=[Truncate(10)],
        max_hops=2,
    )
    lines = {line.split()[0]: " ".join(line.split()[1:]) for line in str(space).splitlines()}
    assert lines == {
        "n_hops": "0 to 2",
        "upper_1": "'Truncate(10)', 'tree(8) <- KnowledgeDistillation(alpha=0.5, temperature=1)', "
        "'tree(8) <- HardLabels'",
        "scheme": "'KnowledgeDistillation', 'HardLabels'",
        "KnowledgeDistillation.alpha": "0.2 to 1",
        "student.max_depth": "2 to 6, step 2",
        "student.C": "0.001 to 10, log",
    }
    assert repr(space) == "<PathSpace of 6 dimensions, up to 2 hops>"


def test_keys_and_words_are_equal_in_another_process():
    script = """
from multihop_search import ConfWeight, Hop, KnowledgeDistillation, Path, Truncate
kd = KnowledgeDistillation(alpha=0.5, temperature=1.0)
path = Path(
    (Hop(Truncate(10), "teacher[:10]"), Hop(kd, "tree"), Hop(ConfWeight(), "student")),
    (("criterion", "gini"), ("min_samples_leaf", 3)),
)
"""
    here = {}
    exec(script, here)
    other = subprocess.run(
        [sys.executable, "-c", script + "print(path.key, path)"],
        env={**os.environ, "PYTHONHASHSEED": "321"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert other.stdout.strip() == f"{here['path'].key} {here['path']}"


def test_a_path_with_a_value_outside_its_distribution_is_refused():
    student = one_student({"max_depth": IntDistribution(1, 5)}, {"max_depth": 3})
    space = PathSpace([], [KnowledgeDistillation()], student, max_hops=1)
    inside = space.default("student", "KnowledgeDistillation")
    for path in (
        Path((), (("max_depth", 99),)),
        Path((Hop(KnowledgeDistillation(alpha=0.05, temperature=1.0), "student"),), inside.params),
    ):
        with pytest.raises(InvalidSetting, match="the path must lie in the space"):
            space.encode(path)


def test_two_schemes_of_one_class_keep_their_own_labels():
    schemes = [KnowledgeDistillation(), KnowledgeDistillation(alpha=0.1, temperature=1.0)]
    space = PathSpace([], schemes, one_student({}, {}), max_hops=1)
    assert space.encode(space.default("student", "KnowledgeDistillation#2"))["scheme"] == "KnowledgeDistillation#2"


def test_settings_that_print_alike_both_stand_in_the_menu():
    schemes = [
        KnowledgeDistillation(alpha=0.50001, temperature=1.0),
        KnowledgeDistillation(alpha=0.50002, temperature=1.0),
    ]
    space = PathSpace(["a"], schemes, one_student({}, {}), max_hops=2)
    assert {hop.scheme for hop in space.menu.values()} == set(schemes)


def test_every_line_of_a_printed_space_separates_name_and_values():
    space = PathSpace([], [KnowledgeDistillation()], one_student({}, {}), max_hops=1)
    for line, name in zip(str(space).splitlines(), space.distributions, strict=True):
        assert line.startswith(name + "  ")


def test_a_cut_that_is_no_more_complex_than_a_student_gives_way_to_a_real_rung():
    students = {"small": StudentSpace(), "big": StudentSpace(rungs=("tree(12)",))}
    kd = KnowledgeDistillation(alpha=0.5, temperature=1.0)
    cut = Truncate(10)
    space = PathSpace(["tree(12)", cut.model], [kd], students, truncations=[cut], max_hops=2)
    drawn = {"n_hops": 2, "upper_1": "Truncate(10)", "scheme": "KnowledgeDistillation"}
    small, big = (space.decode({**drawn, "student": name}) for name in students)
    assert [hop.model for hop in small.hops] == [cut.model, "small"]
    assert [(hop.scheme, hop.model) for hop in big.hops] == [(kd, "tree(12)"), (kd, "big")]
    assert space.decode(space.encode(big)) == big
