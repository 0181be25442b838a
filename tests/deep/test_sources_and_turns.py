"""What the loop draws from, by name; turns on new batches; optimisers of a turn's own."""

import pytest
import torch
from torch import nn

from transfermap.deep.training.batch import Batch, Own, Stage, Turn
from transfermap.deep.training.batches import Domains, Stream
from transfermap.deep.training.engine import Engine
from transfermap.deep.training.loop import Loop, Plan
from transfermap.deep.training.objective import InputSpec, Objective

CPU = torch.device("cpu")


class Counting:
    """Batches that hold the number of the draw."""

    def __init__(self, start=0):
        self.at = start

    def next(self):
        self.at += 1
        return Batch(torch.full((2, 1), float(self.at)), None, torch.arange(2))

    def state(self):
        return {"at": torch.tensor(self.at)}

    def restore(self, state):
        self.at = int(state["at"])


class Watching(Objective):
    """Two parts, each trained by its own turn; notes which batches each turn gets."""

    def __init__(self, *turns):
        self.turns, self.seen = turns, []

    def __repr__(self):
        return f"Watching({self.turns})"

    def course(self):
        return (Stage(1.0, self.turns),)

    def one(self, m, batches, progress):
        return self._loss("a", m, batches)

    def two(self, m, batches, progress):
        return self._loss("b", m, batches)

    def _loss(self, part, m, batches):
        self.seen.append((part, {name: int(batch.x[0, 0]) for name, batch in batches.items()}))
        return {part: m[part](next(iter(batches.values())).x).square().mean()}


def modules(seed=0):
    torch.manual_seed(seed)
    return nn.ModuleDict({"a": nn.Linear(1, 2), "b": nn.Linear(1, 2)})


def run(objective, sources, net=None, **plan):
    loop = Loop(objective, Engine(modules() if net is None else net, CPU), sources, Plan(**{"steps": 3} | plan))
    loop.run()
    return loop


def test_batches_come_from_whatever_is_named_each_in_every_step():
    objective = Watching(Turn("one"), Turn("two"))
    run(objective, {"support": Counting(), "query": Counting(10)})
    assert objective.seen == [(part, {"support": n, "query": 10 + n}) for n in (1, 2, 3) for part in ("a", "b")]


@pytest.mark.parametrize(
    ("turns", "draws"),
    [
        ((Turn("one", repeat=2), Turn("two")), [1, 1, 1]),
        ((Turn("one", repeat=3, fresh=True), Turn("two")), [1, 2, 3, 3]),
        ((Turn("one"), Turn("two", repeat=2, fresh=True)), [1, 2, 3]),
    ],
)
def test_a_fresh_turn_draws_for_each_repeat_and_no_batch_is_drawn_in_vain(turns, draws):
    objective, source = Watching(*turns), Counting()
    run(objective, {"only": source}, steps=1)
    assert [got["only"] for _, got in objective.seen] == draws
    assert source.at == draws[-1]


def test_turns_share_an_optimizer_unless_they_have_their_own():
    shared = run(Watching(Turn("one", trains=("a",)), Turn("two", trains=("b",))), {"only": Counting()})
    assert len(shared.optimizers) == 1
    own = Own("sgd", 0.5)
    turns = Turn("one", trains=("a",), optimizer=own), Turn("one", trains=("a",), optimizer=own), Turn("two")
    loop = run(Watching(*turns), {"only": Counting()})
    kinds = [type(optimizer).__name__ for optimizer in loop.optimizers.values()]
    assert kinds == ["SGD", "AdamW"]
    sgd = next(iter(loop.optimizers.values()))
    assert {id(p) for group in sgd.param_groups for p in group["params"]} == {
        id(p) for p in loop.engine["a"].parameters()
    }


def test_an_optimizer_of_its_own_takes_its_own_steps():
    """Two players, by hand: plain momentum for one at its own rate, the run's Adam for the other."""
    net, turns = modules(), (Turn("one", trains=("a",), optimizer=Own("sgd", 0.1)), Turn("two", trains=("b",)))
    by_hand = modules()
    sgd = torch.optim.SGD(by_hand["a"].parameters(), 0.1, momentum=0.9, nesterov=True)
    adam = torch.optim.Adam(by_hand["b"].parameters(), 0.01)
    run(Watching(*turns), {"only": Counting()}, net, optimizer="adam", lr=0.01, weight_decay=0.0, schedule="constant")
    for n in (1.0, 2.0, 3.0):
        for part, optimizer in (("a", sgd), ("b", adam)):
            optimizer.zero_grad()
            by_hand[part](torch.full((2, 1), n)).square().mean().backward()
            optimizer.step()
    for name, value in by_hand.state_dict().items():
        torch.testing.assert_close(net.state_dict()[name], value)


def test_all_sources_and_all_optimizers_are_in_the_checkpoint(tmp_path):
    turns = (
        Turn("one", trains=("a",), repeat=2, fresh=True, optimizer=Own("adam-gan")),
        Turn("two", trains=("b",), optimizer=Own("sgd", 0.01)),
    )

    def sources():
        return {"support": Counting(), "query": Counting(10)}

    whole = run(Watching(*turns), sources(), steps=6, every=1)
    file = tmp_path / "run.safetensors"

    class Cut(Exception):
        pass

    def tick(done, of):
        if done == 4:
            raise Cut

    first = Watching(*turns)
    plan = Plan(steps=6, every=1, checkpoint=file)
    with pytest.raises(Cut):
        Loop(first, Engine(modules(), CPU), sources(), plan, tick=tick).run()
    resumed = Watching(*turns)
    loop = Loop(resumed, Engine(modules(7), CPU), sources(), plan)
    loop.run()
    assert resumed.seen == whole.objective.seen[3 * 3 :]
    for name, value in whole.engine.modules.state_dict().items():
        assert torch.equal(loop.engine.modules.state_dict()[name], value)
    with pytest.raises(ValueError, match="another run: its sources is"):
        Loop(Watching(*turns), Engine(modules(), CPU), {"query": Counting()}, plan).run()


def test_a_batch_says_whose_rows_it_holds():
    x = torch.arange(6.0)[:, None]
    numbers = torch.tensor([0, 0, 2, 2, 5, 5])
    domains = Domains(source=(x,), target=(x,), size=4, seed=0, device=CPU, source_domains=numbers)
    batch = domains.stream("source").next()
    assert torch.equal(batch.domain, numbers[batch.rows]) and batch.y is None
    assert domains.stream("target").next().domain is None


def test_labels_come_only_from_a_domain_that_is_read():
    x, y = torch.arange(6.0)[:, None], torch.arange(6)
    both = {"source": (x, y), "target": (x, y), "size": 4, "seed": 0, "device": CPU}
    for labelled in ((), ("source",), ("source", "target")):
        domains = Domains(**both, labelled=labelled)
        assert [domains.stream(name).next().y is not None for name in ("source", "target")] == [
            name in labelled for name in ("source", "target")
        ]


def test_the_spec_counts_numbers_of_a_row():
    assert InputSpec(shape=(3, 8, 8)).columns == 192 and InputSpec(shape=(5,)).columns == 5
    assert isinstance(
        Domains(source=(torch.zeros(3, 1),), target=(), size=2, seed=0, device=CPU).stream("source"), Stream
    )
