"""The main job: baselines and candidates, evidence on each, a verdict, and all of it as one plain record."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from importlib.util import find_spec
from typing import Any

import numpy as np

from transfermap._version import versions
from transfermap.card import Card, cards, find
from transfermap.data.encode.encoder import TableEncoder
from transfermap.data.encode.text import AUTO
from transfermap.data.images.grids import image_shape
from transfermap.deep.learner import DeepLearner
from transfermap.deep.nets.small import LEAST_SIDE, NAMES, is_image_net
from transfermap.measure.shift.support import Support
from transfermap.messages import Note
from transfermap.messages.choices import choose
from transfermap.tasks.task import Task
from transfermap.verdict.assessment import judge
from transfermap.verdict.check.check import check_encoded
from transfermap.verdict.decide import Verdict
from transfermap.verdict.encoded import Array, Domains, draw_size, encode
from transfermap.verdict.ensembles import ensembles_for
from transfermap.verdict.evidence import RESAMPLES, Candidate, fit_all, gather
from transfermap.verdict.final_verdict import assumptions, final_verdict
from transfermap.verdict.labels.choosing import confidence, untrusted, worth_labelling
from transfermap.verdict.labels.few_labels import FewLabels, learn_from, learned_rows, led_by_labels
from transfermap.verdict.labels.verify import leading, target_truth, verify, with_truth
from transfermap.verdict.leaderboard import leaderboard
from transfermap.verdict.named_estimators import DEFAULT, GUESS, estimator, guess
from transfermap.verdict.record import ImageFacts, Record
from transfermap.verdict.report_arrays import maps
from transfermap.verdict.sample_images import gallery

LEAST = 6
NET_ROWS = 1000
# share of the budget that evidence may take; the rest is for the final fits
SPENT = 0.7
BASELINES = ("sourceonly", "domainscaler")


@dataclass(frozen=True)
class Found:
    """What an investigation leaves: the record, arrays for the report, and the fitted parts."""

    record: Record
    arrays: dict[str, Array]
    encoder: TableEncoder
    support: Support
    models: dict[str, Any]


def investigate(
    task: Task,
    *,
    method: str | Sequence[str] = "auto",
    using: Any = None,
    net: str = "auto",
    text: str = AUTO,
    learn: bool = False,
    seed: int = 0,
    budget: float = 120.0,
    tick: Callable[[str], None] = lambda _: None,
) -> Found:
    """Try methods on a task and reach a verdict, without reading a target label.

    Parameters
    ----------
    task : Task
    method : "auto", key or list of keys
        Which candidates to try beside the baselines; "auto" tries every method that suits the task,
        nets among them where PyTorch is there and both tables have 1,000 rows. A single key is the
        caller's decision: its predictions are handed out, and the verdict says whether the evidence supports it.
    using : str or scikit-learn estimator, default=None
        What is trained after each method; None: logistic regression, or ridge for regression.
    net : str
        What deep methods train, of :data:`transfermap.deep.nets.small.NAMES`; "auto": "lenet" where every row is a
        square image of 16 x 16 points or more, "dense" for other images, else "mlp"; for methods that work on batch
        normalisation "resnet" and "normed".
    text : str
        How columns of sentences are read: "topics", the name of a pretrained text net, or "auto"
        (:func:`transfermap.data.encode.text.reading`); the record's notes say which it was.
    learn : bool
        Whether methods may learn from the task's known target labels too. They are judged by cross-validation on these
        rows, beside all others, which never see one; with "auto" the predictions of what that supports are handed out.
    seed : int
    budget : float
        Seconds for gathering evidence. Candidates that come too late are skipped, which the record says.
    tick : callable
        Told what is being done.

    Raises
    ------
    ValueError
        If a method or estimator is not known or does not suit the task.
    """
    began = time.perf_counter()
    if learn and (task.truth is None or not len(task.truth)):
        raise ValueError("expected some known target labels to learn from (target_labels); got none")
    if len(task.source) < LEAST:
        raise ValueError(f"expected at least {LEAST} labelled source rows, to hold some out; got {len(task.source)}")
    net = _net(net, task, [method] if isinstance(method, str) else method)
    candidates = line_up(task, method, using, net, seed)
    tick("reading the tables")
    encoder, data = encode(task, seed, text)
    # how long the tables take to read, by a text net for example, is not taken off the evidence
    read = time.perf_counter()
    checked = check_encoded(task, encoder, data, seed)

    left = budget * SPENT - (time.perf_counter() - read)
    resamples = gather(candidates, data, seed=seed, resamples=RESAMPLES, most=draw_size(data), budget=left, tick=tick)
    fit_all(candidates, data, tick)
    predicted = {c.key: c.model.predict(data.target.read_by(c.model)) for c in candidates if c.model is not None}
    support = Support(seed=seed).fit(np.concatenate([data.Xs, data.Xt]))
    judged = judge(candidates, data, checked.setting, predicted, resamples)
    model = _model(candidates, method, judged.verdict)
    chosen = next(c for c in candidates if c.key == model)
    rows = leaderboard(candidates, judged, data, predicted)
    useful = {key: values for key, values in predicted.items() if key not in GUESS.values()}
    proposed, design = worth_labelling(useful, leading(rows, judged.verdict.method, useful), data.kind, seed)
    images, thumbnails = _images(task, data, chosen, predicted, seed)
    record = Record(
        made=datetime.now(UTC).isoformat(timespec="seconds"),
        versions=versions(),
        seed=seed,
        budget=budget,
        estimator=using if isinstance(using, str) else DEFAULT[task.kind] if using is None else repr(using),
        net=net if any(isinstance(c.method, DeepLearner) for c in candidates) else None,
        inputs=dict(task.inputs),
        notes=(*task.notes, *encoder.notes, *_net_words(candidates, task)),
        task=checked.check.task,
        check=checked.check,
        leaderboard=rows,
        verdict=final_verdict(judged, model, candidates, predicted, resamples),
        assumptions=assumptions(task.label, checked.check, judged.verdict),
        untrusted=untrusted(support.distance(data.Xt), support.threshold_, _confidence(chosen, data)),
        label_me=proposed,
        label_design=design,
        images=images,
    )
    # last of all: nothing above has seen a target label
    record, few = _held_to_labels(record, task, data, predicted, candidates[-1].estimator if learn else None, tick)
    record = led_by_labels(record) if learn and method == "auto" else record
    record = replace(record, seconds=round(time.perf_counter() - began, 2))
    arrays = maps(candidates, judged, data, seed) | thumbnails
    arrays |= {f"predicted_{key}": values for key, values in (predicted | few.target).items()}
    models = {c.key: c.model for c in candidates if c.model is not None} | few.models
    return Found(record, arrays, encoder, support, models)


def _confidence(chosen: Candidate, data: Domains) -> Array | None:
    return confidence(chosen.model, data.target) if data.kind == "classification" else None


def _images(
    task: Task, data: Domains, chosen: Candidate, predicted: Mapping[str, Array], seed: int
) -> tuple[ImageFacts | None, dict[str, Array]]:
    """Where rows are images: the backbone of their features, those that the report shows, and their thumbnails."""
    if task.images is None:
        return None, {}
    shown, thumbnails = gallery(task.images, data, chosen.model, predicted[chosen.key], seed)
    return ImageFacts(**task.images.features_of, gallery=shown), {"thumbnails": thumbnails}


def _held_to_labels(
    record: Record,
    task: Task,
    data: Domains,
    predicted: dict[str, Array],
    learner: Any,
    tick: Callable[[str], None],
) -> tuple[Record, FewLabels]:
    """The record with the truth on known target labels, and what was learned from them by ``learner`` (None: nothing).

    A row is never scored by a model that has seen its label.
    """
    few = FewLabels()
    if task.truth is None or not len(task.truth):
        return record, few
    labels, there = target_truth(task.truth, record.task)
    rows = task.truth.index.to_numpy()[there]
    if learner is not None:
        few = learn_from(data, rows, labels, learner, record.seed, tick)
        record = replace(record, few_labels=tuple(few.rows), learned=learned_rows(data.Xt, rows))
    blind = {k: v[rows] for k, v in predicted.items()}
    return with_truth(record, verify(record, blind | few.folded, labels, predicted | few.target)), few


def line_up(task: Task, method: str | Sequence[str], using: Any, net: str, seed: int) -> list[Candidate]:
    """Guessing, the baselines and what is to be tried on a task, not fitted yet."""
    last = estimator(using, task.kind, seed) if using is None or isinstance(using, str) else using
    wanted = [method] if isinstance(method, str) else list(method)
    auto = "auto" in wanted
    if auto:
        wanted = [c.key for c in cards() if task.kind in c.tasks and c.by_default and _worth_trying(c, task)]
    for key in wanted:
        if not find(key).card.tasks:
            raise ValueError(
                f"{find(key).card.name} ({key}) makes rows and predicts nothing; use it in Python: "
                f"{find(key).__name__}().fit(X, sample_domain=...).sample(100)"
            )
        if task.kind not in find(key).card.tasks:
            raise ValueError(
                f"{find(key).card.name} ({key}) is for {', '.join(find(key).card.tasks)}; this is {task.kind}"
            )
        if find(key).reads.target:
            raise ValueError(
                f"{find(key).card.name} ({key}) learns from some labelled target rows, and the target has none here; "
                f"fit it in Python: Adapted({find(key).__name__}(), estimator).fit(X, y, sample_domain=...)"
            )
        find(key).require()
    chosen = [key for key in dict.fromkeys(find(k).card.key for k in wanted) if key not in BASELINES]
    nets = {key: {"net": net} for key in chosen if issubclass(find(key), DeepLearner)}
    base = Candidate.of("sourceonly", guess(task.kind), "baseline")
    base.key, base.name = GUESS[task.kind], GUESS[task.kind]
    return [
        base,
        *(Candidate.of(key, last, "baseline") for key in BASELINES),
        # nets last: they may take only what time the others leave
        *sorted(
            (Candidate.of(key, last, "candidate", optional=auto, **nets.get(key, {})) for key in chosen),
            key=lambda c: c.costly,
        ),
        *(
            Candidate(key, card.name, "candidate", m, last)
            for key, card, m in ensembles_for(task.kind)
            if len(chosen) > 1
        ),
    ]


def _net(wanted: str, task: Task, methods: Sequence[str] = ()) -> str:
    """The net that deep methods train on a task."""
    if wanted != "auto":
        if wanted not in NAMES:
            also = f"expected auto, one of: {', '.join(NAMES)}, or, for folders of images, a backbone"
            wanted = choose("net", wanted, NAMES, also)
        if is_image_net(wanted) and task.images is None:
            raise ValueError(f"the net {wanted} is trained on images; expected folders of them, got tables")
        return wanted
    shape = image_shape(list(task.source.columns))
    if any(getattr(find(key), "normalised", False) for key in methods if key != "auto"):
        return "normed" if shape is None else "resnet"
    if shape is None:
        return "mlp"
    return "lenet" if shape[0] == shape[1] >= LEAST_SIDE else "dense"


def _net_words(candidates: list[Candidate], task: Task) -> list[Note]:
    """Which net was trained on images, where one was."""
    shape = image_shape(list(task.source.columns))
    nets = {c.method.net for c in candidates if isinstance(c.method, DeepLearner)}
    if task.images is not None and nets and is_image_net(first := min(nets)):
        return [Note("images.net", "info", {"net": first})]
    if shape is None or not nets:
        return []
    return [Note("task.net", "info", {"size": f"{shape[0]} x {shape[1]}", "net": nets.pop()})]


def _worth_trying(card: Card, task: Task) -> bool:
    """Whether "auto" tries a method here: nets are for those who have PyTorch, and rows enough to train one."""
    if "torch" not in card.needs:
        return True
    return find_spec("torch") is not None and min(len(task.source), len(task.target)) >= NET_ROWS


def _model(candidates: list[Candidate], method: str | Sequence[str], verdict: Verdict) -> str:
    """Whose predictions are handed out: the one method that was asked for by name, else the verdict's."""
    asked = [method] if isinstance(method, str) else list(method)
    if len(asked) == 1 and asked[0] != "auto":
        key = find(asked[0]).card.key
        one = next(c for c in candidates if c.key == key)
        if one.status != "ok":
            raise ValueError(f"{one.name} could not be used on this data: {one.fault or 'the time budget was used up'}")
        return key
    return verdict.method if verdict.answer == "use" else "sourceonly"
