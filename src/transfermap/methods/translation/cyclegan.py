"""CycleGAN: two translations that undo each other, learnt without pairs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from transfermap.card import Card, method, param
from transfermap.deep.adapter import DeepAdapter
from transfermap.deep.lazy import F, torch
from transfermap.deep.nets.generators import KINDS, judge, mover
from transfermap.deep.trained import Scale
from transfermap.deep.training.batch import Batches, Stage, Terms, Turn
from transfermap.deep.training.optimizers import OPTIMIZERS, SCHEDULES
from transfermap.methods.translation._shared import image_range
from transfermap.split import Array, known_columns

if TYPE_CHECKING:
    from torch import Tensor, nn

    from transfermap.deep.training.engine import Engine
    from transfermap.deep.training.objective import InputSpec

THERE, BACK = "to_target", "to_source"


def replayed(pool: Any, made: Tensor) -> Tensor:
    """Made rows as the discriminator gets them: half of them changed for older ones, once the pool is full.

    One row after another either passes, or takes the place of one of the pool, which is shown instead (Shrivastava et
    al., CVPR 2017, doi:10.1109/CVPR.2017.241). ``pool`` has ``rows`` (size, d) and how many of them are ``held``.
    """
    size, held = len(pool.rows), int(pool.held)
    if not size:
        return made
    both = torch.cat([pool.rows, made.detach()])
    inside, shown = list(range(size)), []
    # drawn on the CPU: one seed gives the same run on every device
    draws = zip(torch.rand(len(made)).tolist(), torch.randint(size, (len(made),)).tolist(), strict=True)
    for row, (chance, place) in enumerate(draws, start=size):
        if held < size:
            inside[held], held = row, held + 1
            shown.append(row)
        elif chance < 0.5:
            shown.append(inside[place])
            inside[place] = row
        else:
            shown.append(row)
    pool.rows.copy_(both[inside])
    pool.held.fill_(held)
    return both[shown]


@method(
    Card(
        name="Cycle-consistent translation (CycleGAN)",
        year=2017,
        setting="unsupervised",
        transfers="features",
        objective="min_{G,F}  E(D_t(G(x^s)) - 1)^2 + E(D_s(F(x^t)) - 1)^2 + c [ |F(G(x^s)) - x^s| + |G(F(x^t)) - x^t| ]"
        " + i [ |G(x^t) - x^t| + |F(x^s) - x^s| ];  min_{D}  E(D(real) - 1)^2 / 2 + E D(made)^2 / 2",
        steps=(
            "Translate source rows to the target's look and target rows to the source's, each by a net.",
            "Train both so that a discriminator in each domain takes what they make for real, and so that there and "
            "back again is where a row began.",
            "Train the discriminators on real rows, and on made ones of now and of earlier steps.",
            "Translate the source; what is learned from it with its own labels is used on the target.",
        ),
        solver="stochastic gradient steps, two turns on each batch",
        cost="per step about six passes of a batch through a translation and six through a discriminator",
        assumes=(
            "to every source row there is one target row that shows the same thing, and the other way round",
            "what the domains share is common in both about as often, the classes above all",
        ),
        fails_when=(
            "classes can be swapped: a translation that makes one class of another goes there and back as well",
            "the shares of classes differ: to look right, some rows must change their class",
            "a translation hides in faint traces what it needs for the way back; the cycle is then no proof",
        ),
        reference="Zhu, Park, Isola and Efros, Unpaired Image-to-Image Translation Using Cycle-Consistent Adversarial "
        "Networks, IEEE ICCV 2017",
        doi="10.48550/arXiv.1703.10593",
        needs=("torch",),
        toy="rotation_and_scale",
    )
)
class CycleGAN(DeepAdapter):
    r"""Translate source rows to the target's look by a net that another net can undo; no pairs, no labels.

    .. math:: \min_{G,F}\ \mathbb{E}\bigl(D_t(G(x^s)) - 1\bigr)^2 + \mathbb{E}\bigl(D_s(F(x^t)) - 1\bigr)^2
              + c\bigl[\overline{|F(G(x^s)) - x^s|} + \overline{|G(F(x^t)) - x^t|}\bigr]
              + i\bigl[\overline{|G(x^t) - x^t|} + \overline{|F(x^s) - x^s|}\bigr]

    .. math:: \min_{D_t}\ \tfrac12\mathbb{E}\bigl(D_t(x^t) - 1\bigr)^2 + \tfrac12\mathbb{E}\,D_t(G(x^s))^2,
              \qquad \min_{D_s} \text{ likewise}

    in turn, the bars being means over rows and columns; the discriminators see made rows of earlier steps too, from a
    pool. ``transform`` translates source rows by G and leaves target rows as they are; :meth:`to_source` translates
    target rows by F; :meth:`round_trip` goes there and back.

    Fails when classes can be swapped at no cost, or when their shares differ: nothing here knows of classes.

    Parameters
    ----------
    cycle : float, default=1.0
        Size c of the cycle's term. The paper's for photographs is 10; rows of a table then hardly move.
    identity : float, default=0.0
        Size i of what keeps rows that already look right; the paper has 5 where colours are to stay.
    pool : int, default=50
        Made rows of earlier steps that are kept for each discriminator; 0 for none.
    net : {"mlp", "conv"}, default="mlp"
        "mlp" for tables, with translations that begin as the identity; "conv" for rows that are square grey images,
        their side a multiple of 4 from 8.
    width : int, default=64
        Of the nets' hidden layers; channels of "conv", for which 16 will do.

    Examples
    --------
    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> X, domain = rng.normal(size=(400, 2)), np.repeat([1, -1], 200)
    >>> X[200:] = X[200:] * [2, 0.5] + [3, -2]
    >>> Z = CycleGAN(steps=400).fit(X, sample_domain=domain).transform(X[:200], sample_domain=domain[:200])
    >>> bool(np.abs(Z.mean(axis=0) - [3, -2]).max() < 0.5)
    True

    References
    ----------
    Zhu, Park, Isola and Efros, Unpaired Image-to-Image Translation Using Cycle-Consistent Adversarial Networks, IEEE
    ICCV 2017, doi:10.48550/arXiv.1703.10593.
    """

    stages: ClassVar[tuple[Stage, ...]] = (
        Stage(1.0, (Turn("translate", trains=(THERE, BACK)), Turn("tell", trains=("real_target", "real_source")))),
    )

    cycle: float = param(default=1.0, low=0)
    identity: float = param(default=0.0, low=0)
    pool: int = param(default=50, low=0, whole=True)
    net: str = param(default="mlp", choices=KINDS)
    width: int = param(default=64, low=1, whole=True)
    optimizer: str = param(default="adam-gan", choices=tuple(OPTIMIZERS))
    weight_decay: float = param(default=0.0, low=0)
    schedule: str = param(default="linear", choices=tuple(SCHEDULES))

    def parts(self, spec: InputSpec) -> dict[str, nn.Module]:
        from transfermap.deep.nets.modules import Memory

        d = spec.columns
        parts: dict[str, nn.Module] = {name: mover(self.net, d, self.width) for name in (THERE, BACK)}
        for name in ("target", "source"):
            parts[f"real_{name}"] = judge(self.net, d, self.width)
            # as buffers of a part, they are in every checkpoint
            parts[f"pool_{name}"] = Memory(rows=torch.zeros(self.pool, d), held=torch.tensor(0))
        return parts

    def translate(self, m: Engine, batches: Batches, progress: float) -> Terms:
        """First turn: both translations."""
        s, t = batches["source"].x, batches["target"].x
        there, back = m[THERE](s), m[BACK](t)
        cycle = F.l1_loss(m[BACK](there), s) + F.l1_loss(m[THERE](back), t)
        terms = {
            "looks like target": (m["real_target"](there) - 1).square().mean(),
            "looks like source": (m["real_source"](back) - 1).square().mean(),
            "cycle": self.cycle * cycle,
        }
        if self.identity:
            terms["identity"] = self.identity * (F.l1_loss(m[THERE](t), t) + F.l1_loss(m[BACK](s), s))
        return terms

    def tell(self, m: Engine, batches: Batches, progress: float) -> Terms:
        """Second turn: both discriminators, on real rows and on made ones from the pool."""
        s, t = batches["source"].x, batches["target"].x
        return {
            "target discriminator": self._told(m, "target", t, m[THERE](s)),
            "source discriminator": self._told(m, "source", s, m[BACK](t)),
        }

    def _told(self, m: Engine, name: str, real: Tensor, made: Tensor) -> Tensor:
        made = replayed(m[f"pool_{name}"], made)
        d = m[f"real_{name}"]
        loss: Tensor = (d(real) - 1).square().mean() / 2 + d(made).square().mean() / 2
        return loss

    def to_source(self, X: Any) -> Array:
        """Target rows (n, d) translated to the source's look, (n, d)."""
        return self.translated(known_columns(self, X), BACK)

    def round_trip(self, X: Any, domain: str = "source") -> Array:
        """Rows (n, d) of the "source" or the "target", translated to the other domain and back; (n, d)."""
        chains = {"source": (THERE, BACK), "target": (BACK, THERE)}
        if domain not in chains:
            raise ValueError(f"CycleGAN.round_trip: domain must be 'source' or 'target'; got {domain!r}")
        return self.translated(known_columns(self, X), *chains[domain])

    def _map_source(self, X: Array) -> Array:
        return self.translated(X, THERE)

    def _scale(self, Xs: Array, Xt: Array) -> Scale:
        return image_range(Xs, Xt) if self.net == "conv" else super()._scale(Xs, Xt)
