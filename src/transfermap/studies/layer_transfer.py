r"""Which layers of a text net to carry over to another task, and whether to lock them (Mou et al., EMNLP 2016).

A net of three layers, embedding E, hidden H and output O, is trained on the source. On the target each layer starts
at random or is the source net's, and then is trainable or frozen. This is INIT. MULT trains both tasks in turn,

.. math:: J = \lambda J_T + (1-\lambda) J_S,

with one E and one H for both: a batch comes from the target with probability :math:`\lambda`, else from the source.
MULT+INIT is the same from the source net's E and H on.
"""

from __future__ import annotations

import copy
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import product
from typing import Any, Literal, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from transfermap.card import Card, tool
from transfermap.deep.nets.freezing import Stages, moves
from transfermap.deep.training.batch import Batch, Batches, BatchSource, Terms
from transfermap.deep.training.batches import Stream
from transfermap.deep.training.engine import Engine
from transfermap.deep.training.loop import Loop, Plan
from transfermap.deep.training.objective import Objective
from transfermap.studies.word_nets import LAYERS, NOTHING, glove, rows_of, vocabulary, word_net

State = Literal["random", "trainable", "frozen"]
STATES: tuple[State, ...] = ("random", "trainable", "frozen")
WITH_GLOVE = " (GloVe)"
_LETTERS = dict(zip(LAYERS, "EHO", strict=True))
_CPU = torch.device("cpu")
# seeds of what is drawn apart: the source net, its batches; a run's coin and its batches of the source
_SOURCE, _COIN, _BESIDE = 2**20, 2**21, 2**22
_BLOCK = 500


@dataclass(frozen=True)
class Choice:
    """What becomes of each layer on the target; ``joint``: MULT; ``glove``: E starts, on the source too, from GloVe."""

    embedding: State = "random"
    hidden: State = "random"
    output: State = "random"
    joint: bool = False
    glove: bool = False

    @property
    def states(self) -> dict[str, State]:
        """The layers' states by name."""
        return {layer: getattr(self, layer) for layer in LAYERS}

    @property
    def plain(self) -> bool:
        """Whether the layers carried over are the lowest ones and share a state, as in the paper's main rows."""
        states = list(self.states.values())
        count = sum(state != "random" for state in states)
        return len(set(states[:count])) <= 1 and "random" not in states[:count]

    @property
    def name(self) -> str:
        """Such as "none", "E+H trainable", "E frozen, H trainable", "MULT", "MULT+INIT", "none (GloVe)".

        Examples
        --------
        >>> Choice("trainable", "trainable").name, Choice("frozen", "trainable").name
        ('E+H trainable', 'E frozen, H trainable')
        >>> Choice("trainable", "trainable", joint=True).name
        'MULT+INIT'
        """
        by_state = {s: "+".join(_LETTERS[k] for k, v in self.states.items() if v == s) for s in ("frozen", "trainable")}
        predicted = ", ".join(f"{letters} {state}" for state, letters in by_state.items() if letters) or "none"
        if self.joint:
            predicted = "MULT" if predicted == "none" else "MULT+INIT"
        return f"{predicted}{WITH_GLOVE}" if self.glove else predicted


@dataclass(frozen=True)
class Recipe:
    """The net and how it is trained: Adam at one rate for all choices.

    ``mix`` is MULT's lambda, in (0, 1]; ``words`` says how many of a text's words are read.
    """

    width: int = 50
    hidden: int = 64
    dropout: float = 0.0
    source_epochs: int = 3
    target_epochs: int = 25
    lr: float = 2e-3
    batch_size: int = 32
    mix: float = 0.5
    words: int = 64

    def __post_init__(self) -> None:
        wrong = [k for k, v in asdict(self).items() if k != "dropout" and not v > 0]
        if wrong or not 0 <= self.dropout < 1 or self.mix > 1:
            raise ValueError(f"expected numbers above 0, dropout in [0, 1) and mix in (0, 1]; got {self}")


class Texts(NamedTuple):
    """Texts and their labels, (n,) each."""

    texts: Sequence[str | None]
    labels: Any

    def take(self, rows: Any) -> Texts:
        """Some of them."""
        return Texts([self.texts[i] for i in rows], np.asarray(self.labels)[rows])


class Pair(NamedTuple):
    """Source, target to learn from, and target to be scored on."""

    source: Texts
    target: Texts
    test: Texts

    @property
    def classes(self) -> tuple[list[str], list[str]]:
        """The source's classes and the target's, whichever of the target's rows are learned from."""
        named = (self.source.labels, [*self.target.labels, *self.test.labels])
        return sorted(set(map(str, named[0]))), sorted(set(map(str, named[1])))


def drawn(target: Texts, labelled: int, seed: int) -> tuple[Texts, Texts]:
    """A target that is learned from, of ``labelled`` rows drawn by the seed, and all other rows to be scored on.

    Raises
    ------
    ValueError
        If no row is left to be scored on.
    """
    if not 2 <= labelled < len(target.texts):
        raise ValueError(f"expected 2 to {len(target.texts) - 1} labelled target rows to learn from, got {labelled}")
    order = np.random.default_rng(seed).permutation(len(target.texts))
    return target.take(np.sort(order[:labelled])), target.take(np.sort(order[labelled:]))


def choices(same_classes: bool, with_glove: bool = False) -> list[Choice]:
    """All of the table: every state of every layer, MULT, MULT+INIT; O is carried over where the classes are the same.

    With GloVe, what the question needs: nothing carried over, and E, E+H and, where it can be, E+H+O trainable.

    Examples
    --------
    >>> len(choices(True)), len(choices(False)), len(choices(False, with_glove=True))
    (29, 11, 14)
    """
    outputs = STATES if same_classes else STATES[:1]
    table = [Choice(*states) for states in product(STATES, STATES, outputs)]
    table += [Choice(joint=True), Choice("trainable", "trainable", joint=True)]
    if with_glove:
        most = 3 if same_classes else 2
        below = [dict.fromkeys(LAYERS[:count], "trainable") for count in range(most + 1)]
        table += [replace(Choice(glove=True), **opened) for opened in below]  # type: ignore[arg-type]
    return table


@tool(
    Card(
        key="layertransfer",
        family="tuning",
        command="transfermap layers SOURCE.csv TARGET.csv --text-column COLUMN --label COLUMN",
        name="Transfer by layers in text networks (INIT, MULT)",
        year=2016,
        setting="inductive",
        transfers="parameters",
        label_sets="disjoint",
        tasks=("classification",),
        reads="both",
        needs=("target labels", "text", "torch"),
        objective="INIT: min J_T from the source's layers;  MULT: min lambda J_T + (1 - lambda) J_S, layers shared",
        steps=(
            "Train a net of embedding, hidden layer and output on the source's texts.",
            "Start each layer of the target's net at random or as the source's, and freeze it or train it on.",
            "Or train both tasks in turn with one embedding and one hidden layer.",
            "Score every choice on target rows that nothing was learned from, over several seeds.",
        ),
        solver="Adam at one rate for all choices",
        cost="time: a training on the source, one on the target a choice and seed; 29 choices where classes agree",
        assumes=("both tasks are about the same kind of text", "both domains have labels"),
        fails_when=(
            "the tasks only look alike: what the hidden layer has learned then hinders",
            "the target has rows in plenty: nothing is left to gain",
        ),
        reference=(
            "Mou, Meng, Yan, Li, Xu, Zhang and Jin, How Transferable Are Neural Networks in NLP Applications?, "
            "EMNLP 2016"
        ),
        doi="10.48550/arXiv.1603.06111",
    )
)
def layer_transfer(
    pair: Pair,
    wanted: Sequence[Choice],
    recipe: Recipe,
    seed: int,
    tick: Callable[[str], None] = lambda _: None,
    nets: dict[bool, nn.Sequential] | None = None,
) -> Iterator[dict[str, Any]]:
    """One seed of the table: a record a choice, with its accuracy on the test rows, which nothing else looks at.

    The layers that are not carried over start the same in every choice, batches come in the same order. ``nets`` keeps
    the source's nets (with GloVe and without) for a further call on the same pair, recipe and seed.

    Yields
    ------
    dict
        ``choice`` (its name), the layers' states, ``seed``, ``accuracy``, ``trainable`` (parameters), ``seconds``.

    Examples
    --------
    >>> from transfermap.studies.layer_transfer import Choice, Pair, Recipe, Texts
    >>> films = Texts(["good film", "bad film", "good plot", "bad plot"] * 8, ["yes", "no"] * 16)
    >>> shops = Texts(["good shop", "bad shop"] * 4, ["yes", "no"] * 4)
    >>> wanted = [Choice(), Choice("trainable", "trainable", "trainable")]
    >>> small = Recipe(width=8, hidden=8, source_epochs=40, lr=0.02)
    >>> records = list(layer_transfer(Pair(films, shops, shops), wanted, small, seed=0))
    >>> [record["choice"] for record in records], records[1]["accuracy"]
    (['none', 'E+H+O trainable'], 1.0)
    """
    own, theirs = pair.classes
    if not own or not theirs or len(own) < 2 or len(theirs) < 2:
        raise ValueError(f"expected two classes or more on either side; the source has {own}, the target {theirs}")
    if any(c.output != "random" for c in wanted) and own != theirs:
        raise ValueError(f"O can be carried over only between equal classes; they are {own} and {theirs}")
    known = vocabulary(pair.source.texts, pair.target.texts, most=recipe.words)
    source = _tensors(pair.source, known, own, recipe)
    target, test = (_tensors(side, known, theirs, recipe) for side in pair[1:])
    rows = len(known) + 2
    nets = {} if nets is None else nets
    for choice in wanted:
        began = time.perf_counter()
        tick(f"seed {seed}: {choice.name}")
        fresh = _fresh(recipe, rows, len(theirs), seed, known if choice.glove else None)
        if choice.glove not in nets and choice != Choice(glove=choice.glove):
            start = _fresh(recipe, rows, len(own), _SOURCE + seed, known if choice.glove else None)
            nets[choice.glove] = train(start, source, recipe.source_epochs, recipe, _SOURCE + seed)
        net = carried(nets.get(choice.glove), fresh, choice)
        if choice.joint:
            beside = Beside(source, _fresh(recipe, rows, len(own), _SOURCE + seed).get_submodule("output"))
            train(net, target, recipe.target_epochs, recipe, seed, beside)
        else:
            train(net, target, recipe.target_epochs, recipe, seed)
        yield {
            "choice": choice.name,
            **asdict(choice),
            "seed": seed,
            "accuracy": accuracy(net, test),
            "trainable": sum(p.numel() for p in net.parameters() if p.requires_grad),
            "seconds": round(time.perf_counter() - began, 2),
        }


def carried(source: nn.Sequential | None, fresh: nn.Sequential, choice: Choice) -> nn.Sequential:
    """A net for the target: copies of the source net's layers where they are carried over, else fresh ones.

    Locked layers do not require gradients.
    """
    net = copy.deepcopy(fresh)
    for name, state in choice.states.items():
        if state != "random":
            assert source is not None
            net.get_submodule(name).load_state_dict(source.get_submodule(name).state_dict())
        net.get_submodule(name).requires_grad_(state != "frozen")
    return net


class Beside(NamedTuple):
    """What MULT trains beside the target: the source's rows and labels, and an output of their own."""

    rows: tuple[Tensor, Tensor]
    output: nn.Module


def train(
    net: nn.Sequential,
    rows: tuple[Tensor, Tensor],
    epochs: int,
    recipe: Recipe,
    seed: int,
    beside: Beside | None = None,
) -> nn.Sequential:
    """Train what is not frozen, in place; with ``beside``, batches of the source come in between (MULT).

    With ``mix`` 1 no batch of the source comes, and all is as without it. The target gets the same batches whatever
    comes in between. Frozen layers drop nothing out.
    """
    if not moves(net):
        return net.eval()
    layers = dict(net.named_children())
    modules = nn.ModuleDict({"head": layers.pop("output")} | ({"beside": beside.output} if beside else {}))
    modules["features"] = Stages(OrderedDict(layers))
    steps = epochs * -(-len(rows[1]) // recipe.batch_size)
    batches: BatchSource = Stream(rows, recipe.batch_size, seed, _CPU, labelled=True)
    if beside:
        whose = turns(steps, recipe.mix, _COIN + seed)
        own, other = batches, Stream(beside.rows, recipe.batch_size, _BESIDE + seed, _CPU, labelled=True)
        batches, steps = Mixed(own, other, whose), len(whose)
    plan = Plan(steps=steps, optimizer="adam", lr=recipe.lr, weight_decay=0.0, schedule="constant")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        Loop(Carried(), Engine(modules, _CPU), {"target": batches}, plan).run()
    return net.eval()


class Carried(Objective):
    """The loss of labelled texts, under the output of their own task."""

    def loss(self, m: Engine, batches: Batches, progress: float) -> Terms:
        batch = batches["target"]
        assert batch.y is not None
        output = "beside" if batch.domain is not None and batch.domain[0] >= 0 else "head"
        return {"loss": F.cross_entropy(m[output](m["features"](_trimmed(batch.x))), batch.y)}


def turns(steps: int, mix: float, seed: int) -> list[bool]:
    """Whose batch each step takes, True for the target's, until these are ``steps``: a coin that shows it with ``mix``.

    Examples
    --------
    >>> turns(3, mix=1.0, seed=0)
    [True, True, True]
    """
    coin = torch.Generator().manual_seed(seed)
    found: list[bool] = []
    for _ in range(steps):
        while torch.rand((), generator=coin) >= mix:
            found.append(False)
        found.append(True)
    return found


class Mixed:
    """Batches of the target and of the source in turn, by a list of whose comes next; each has its own stream."""

    def __init__(self, target: BatchSource, source: BatchSource, turns: Sequence[bool]) -> None:
        self.turns, self._streams, self._at = turns, (source, target), 0

    def next(self) -> Batch:
        """The next batch; its domain is -1 for the target, 0 for the source."""
        target = self.turns[self._at]
        self._at += 1
        batch = self._streams[target].next()
        return batch._replace(domain=torch.full_like(batch.rows, -int(target)))

    def state(self) -> dict[str, Tensor]:
        """All that is needed to go on from here."""
        parts = {f"{i} {k}": v for i, stream in enumerate(self._streams) for k, v in stream.state().items()}
        return parts | {"at": torch.tensor(self._at)}

    def restore(self, state: dict[str, Tensor]) -> None:
        """Go on from what :meth:`state` gave."""
        self._at = int(state["at"])
        for i, stream in enumerate(self._streams):
            stream.restore({k.removeprefix(f"{i} "): v for k, v in state.items() if k.startswith(f"{i} ")})


def accuracy(net: nn.Module, rows: tuple[Tensor, Tensor]) -> float:
    """The share of right predictions."""
    return float((logits(net, rows[0]).argmax(1) == rows[1]).float().mean())


@torch.no_grad()
def logits(net: nn.Module, x: Tensor) -> Tensor:
    """The outputs (n, classes), in blocks of texts that are about equally long."""
    net.eval()
    order = (x != NOTHING).sum(1).argsort(stable=True)
    found = torch.cat([net(_trimmed(block)) for block in torch.split(x[order], _BLOCK)])
    return found[order.argsort()]


def _trimmed(x: Tensor) -> Tensor:
    """Without the columns in which no text has a word left."""
    return x[:, : max(1, int((x != NOTHING).sum(1).max()))]


def _tensors(side: Texts, known: dict[str, int], classes: Sequence[str], recipe: Recipe) -> tuple[Tensor, Tensor]:
    place = {name: i for i, name in enumerate(classes)}
    return rows_of(side.texts, known, recipe.words), torch.tensor([place[str(label)] for label in side.labels])


def _fresh(recipe: Recipe, rows: int, classes: int, seed: int, known: dict[str, int] | None = None) -> nn.Sequential:
    net = word_net(rows, classes, recipe.width, recipe.hidden, recipe.dropout, seed)
    if known is not None:
        weight = net.get_parameter("embedding.table.weight")
        weight.data = glove(known, weight.data)
    return net
