"""GAN: rows of the target from noise, by a contest of two nets."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from transfermap.card import Card, method, param
from transfermap.deep.generator import DeepGenerator
from transfermap.deep.lazy import F
from transfermap.deep.nets.generators import KINDS, judge, maker
from transfermap.deep.trained import Scale
from transfermap.deep.training.batch import Batches, BatchSource, Stage, Terms, Turn
from transfermap.deep.training.optimizers import OPTIMIZERS, SCHEDULES
from transfermap.methods.translation._shared import image_range
from transfermap.split import Array

if TYPE_CHECKING:
    from torch import Tensor, nn

    from transfermap.deep.training.batches import Domains
    from transfermap.deep.training.engine import Engine
    from transfermap.deep.training.objective import InputSpec


@method(
    Card(
        name="Generative adversarial network",
        year=2014,
        setting="unsupervised",
        transfers="features",
        tasks=(),
        objective="min_D  -E log D(x) - E log(1 - D(G(z)));  min_G  -E log D(G(z)),  z ~ N(0, I)",
        steps=(
            "Draw noise, and make rows of it by the generator.",
            "Train the discriminator to tell rows of the target from made ones.",
            "Train the generator so that the discriminator takes what it makes for rows of the target.",
            "Draw as many rows as are wanted.",
        ),
        solver="stochastic gradient steps, two turns on each batch",
        cost="per step a few passes of one batch through either net",
        assumes=("the target's rows are many, and all of one kind of table or image",),
        fails_when=(
            "the generator makes a few kinds of rows only, which the discriminator cannot tell apart (mode collapse)",
            "the discriminator wins outright: its gradient says nothing then",
            "rows are few: it learns them by heart, so what it makes is no new evidence and hides nobody's data",
        ),
        reference="Goodfellow, Pouget-Abadie, Mirza, Xu, Warde-Farley, Ozair, Courville and Bengio, "
        "Generative Adversarial Nets, NIPS 2014",
        doi="10.48550/arXiv.1406.2661",
        needs=("torch",),
        toy="site_offsets",
    )
)
class GAN(DeepGenerator):
    r"""Make rows that a discriminator cannot tell from the target's.

    .. math:: \min_D\ -\frac{1}{n}\sum_j \log D(x^t_j) - \frac{1}{n}\sum_i \log\bigl(1 - D(G(z_i))\bigr),\qquad
              \min_G\ -\frac{1}{n}\sum_i \log D(G(z_i)),\qquad z_i \sim N(0, I)

    in turn. The generator's is the paper's second form, whose gradient does not fade where the discriminator is sure.
    For a generator that stands still the best discriminator is :math:`D^* = p / (p + q)` of the densities of the
    target's rows and of the made ones; where both are the same it says 1/2 everywhere, and the discriminator's term in
    ``history_`` is :math:`\log 4 \approx 1.39`. Source rows are not looked at, nor are labels.

    Fails when the generator settles on a few kinds of rows (mode collapse), or when the discriminator wins outright.

    Parameters
    ----------
    latent : int, default=16
        Numbers of noise that a row is made of.
    net : {"mlp", "conv"}, default="mlp"
        "mlp" for tables; "conv" for rows that are square grey images, their side a multiple of 4 from 8.
    width : int, default=128
        Of the nets' hidden layers; channels of "conv", for which 16 to 64 will do.

    Examples
    --------
    >>> import numpy as np
    >>> X = np.random.default_rng(0).normal([3, -1], [1, 0.5], size=(400, 2))
    >>> made = GAN(steps=300).fit(X).sample(1000)
    >>> bool(np.abs(made.mean(axis=0) - [3, -1]).max() < 0.5)
    True

    References
    ----------
    Goodfellow et al., Generative Adversarial Nets, NIPS 2014, doi:10.48550/arXiv.1406.2661.
    """

    stages: ClassVar[tuple[Stage, ...]] = (
        Stage(1.0, (Turn("tell", trains=("discriminator",)), Turn("fool", trains=("generator",)))),
    )

    net: str = param(default="mlp", choices=KINDS)
    width: int = param(default=128, low=1, whole=True)
    optimizer: str = param(default="adam-gan", choices=tuple(OPTIMIZERS))
    lr: float = param(default=0.002, above=0)
    weight_decay: float = param(default=0.0, low=0)
    schedule: str = param(default="constant", choices=tuple(SCHEDULES))

    def parts(self, spec: InputSpec) -> dict[str, nn.Module]:
        made = maker(self.net, self.latent, spec.columns, self.width)
        return {"generator": made, "discriminator": judge(self.net, spec.columns, self.width)}

    def sources(self, domains: Domains) -> dict[str, BatchSource]:
        return {"target": domains.stream("target")}

    def tell(self, m: Engine, batches: Batches, progress: float) -> Terms:
        """First turn: the discriminator tells rows from made ones."""
        x = batches["target"].x
        real, made = m["discriminator"](x), m["discriminator"](self._made(m, len(x)))
        m.note("D of rows", lambda: real.sigmoid().mean())
        m.note("D of made rows", lambda: made.sigmoid().mean())
        return {"discriminator": F.softplus(-real).mean() + F.softplus(made).mean()}

    def fool(self, m: Engine, batches: Batches, progress: float) -> Terms:
        """Second turn: the generator, by inverted labels, on fresh noise."""
        return {"generator": F.softplus(-m["discriminator"](self._made(m, len(batches["target"].x)))).mean()}

    def _made(self, m: Engine, n: int) -> Tensor:
        made: Tensor = m["generator"](self.noise(m, n))
        return made

    def _scale(self, Xs: Array, Xt: Array) -> Scale:
        return image_range(Xt) if self.net == "conv" else super()._scale(Xs, Xt)
