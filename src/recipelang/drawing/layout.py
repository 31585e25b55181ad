"""Places for the boxes and lines of a graph: layers by the longest path, and a way round the boxes for every line."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from itertools import pairwise
from statistics import mean

from recipelang.quick import dataclass

GAP_X, GAP_Y, LANE, HEAD = 36.0, 46.0, 10.0, 10.0
"""Between two boxes, between two layers, the width that a line takes where it passes a layer, and its straight end."""
SWEEPS = 6

Edge = tuple[str, str]
Size = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Layout:
    """`corners` are the upper left ones of the boxes; `lines` the points of each edge, two for each layer
    that it touches: straight within a layer, and free from one to the next."""

    width: float
    height: float
    corners: dict[str, tuple[float, float]]
    lines: dict[Edge, list[tuple[float, float]]]


def laid_out(sizes: Mapping[str, Size], edges: Sequence[Edge]) -> Layout:
    """A line that passes layers has a place of its own in each, as a box has, so that it runs through none."""
    depth = _depths(sizes, edges)
    chains = {edge: _chain(edge, depth) for edge in edges}
    widths = {name: size[0] for name, size in sizes.items()}
    widths |= {lane: LANE for chain in chains.values() for lane in chain[1:-1]}
    layers = _layers(depth, chains)
    links = [link for chain in chains.values() for link in pairwise(chain)]
    _order(layers, links)
    middles = _middles(layers, widths, links)
    left = min(middles[name] - width / 2 for name, width in widths.items())
    middles = {name: middle - left for name, middle in middles.items()}
    tops, heights = _rows(layers, sizes)
    corners = {
        name: (middles[name] - size[0] / 2, tops[depth[name]] + (heights[depth[name]] - size[1]) / 2)
        for name, size in sizes.items()
    }
    placed = _Placed(sizes, corners, middles, tops, heights, depth)
    lines = {edge: placed.line(edge, chain, chains) for edge, chain in chains.items()}
    width = max(middles[name] + width / 2 for name, width in widths.items())
    return Layout(width, tops[-1] + heights[-1], corners, lines)


def _depths(sizes: Mapping[str, Size], edges: Sequence[Edge]) -> dict[str, int]:
    """By how many steps come before, the longest way round; a step that waits for none stands just before its reader."""
    depth = dict.fromkeys(sizes, 0)
    for _ in sizes:
        for before, after in edges:
            depth[after] = max(depth[after], depth[before] + 1)
    waiting = {after for _, after in edges}
    for name in sizes:
        readers = [depth[after] for before, after in edges if before == name]
        if name not in waiting and readers:
            depth[name] = min(readers) - 1
    return depth


def _chain(edge: Edge, depth: Mapping[str, int]) -> list[str]:
    """An edge as a chain through every layer between its ends: a lane in each, by a name that no step has."""
    before, after = edge
    lanes = [f"{before}\n{after}\n{layer}" for layer in range(depth[before] + 1, depth[after])]
    return [before, *lanes, after]


def _layers(depth: Mapping[str, int], chains: Mapping[Edge, list[str]]) -> list[list[str]]:
    layers: list[list[str]] = [[] for _ in range(max(depth.values(), default=0) + 1)]
    for name, layer in depth.items():
        layers[layer].append(name)
    for (before, _), chain in chains.items():
        for offset, lane in enumerate(chain[1:-1], 1):
            layers[depth[before] + offset].append(lane)
    return layers


def _order(layers: list[list[str]], links: Sequence[Edge]) -> None:
    """Sort each layer by where its neighbours stand, down and up, so that few lines cross."""
    for sweep in range(SWEEPS):
        down = sweep % 2 == 0
        near = _neighbours(links, above=down)
        for at in range(1, len(layers)) if down else range(len(layers) - 2, -1, -1):
            beside = {name: number for number, name in enumerate(layers[at - 1 if down else at + 1])}
            wanted = {
                name: mean(beside[other] for other in near[name]) if near[name] else number
                for number, name in enumerate(layers[at])
            }
            layers[at].sort(key=wanted.__getitem__)


def _neighbours(links: Sequence[Edge], *, above: bool) -> Mapping[str, list[str]]:
    """For each place those that it is linked to in the layer above, or below."""
    near: defaultdict[str, list[str]] = defaultdict(list)
    for before, after in links:
        near[after if above else before].append(before if above else after)
    return near


def _middles(layers: list[list[str]], widths: Mapping[str, float], links: Sequence[Edge]) -> dict[str, float]:
    """The middle of each place: near those of its neighbours, and not over another."""
    middles: dict[str, float] = {}
    for layer in layers:
        _spread(layer, dict.fromkeys(layer, 0.0), widths, middles)
    above, below = _neighbours(links, above=True), _neighbours(links, above=False)
    for sweep in range(2 * SWEEPS):
        near = above if sweep % 2 == 0 else below
        for layer in layers if sweep % 2 == 0 else reversed(layers):
            wanted = {name: mean(middles[n] for n in near[name]) if near[name] else middles[name] for name in layer}
            _spread(layer, wanted, widths, middles)
    return middles


def _spread(
    layer: Sequence[str], wanted: Mapping[str, float], widths: Mapping[str, float], middles: dict[str, float]
) -> None:
    """Place a layer in its order as near to what is wanted as the gaps allow, shifted so that no side is favoured."""
    placed: list[float] = []
    for at, name in enumerate(layer):
        least = placed[-1] + (widths[layer[at - 1]] + widths[name]) / 2 + GAP_X if placed else wanted[name]
        placed.append(max(wanted[name], least))
    shift = mean(wanted[name] - middle for name, middle in zip(layer, placed, strict=True)) if layer else 0.0
    middles |= {name: middle + shift for name, middle in zip(layer, placed, strict=True)}


def _rows(layers: list[list[str]], sizes: Mapping[str, Size]) -> tuple[list[float], list[float]]:
    heights = [max((sizes[name][1] for name in layer if name in sizes), default=0.0) for layer in layers]
    tops = [sum(heights[:at]) + at * GAP_Y for at in range(len(layers))]
    return tops, heights


@dataclass(frozen=True, slots=True)
class _Placed:
    sizes: Mapping[str, Size]
    corners: Mapping[str, tuple[float, float]]
    middles: Mapping[str, float]
    tops: Sequence[float]
    heights: Sequence[float]
    depth: Mapping[str, int]

    def line(self, edge: Edge, chain: Sequence[str], chains: Mapping[Edge, list[str]]) -> list[tuple[float, float]]:
        """Down to the end of the layer, then by a point where each further layer begins and one where it ends."""
        before, after = edge
        leaving = self._port(before, chain[1], [c[1] for e, c in chains.items() if e[0] == before])
        arriving = self._port(after, chain[-2], [c[-2] for e, c in chains.items() if e[1] == after])
        points = [(leaving, self._foot(before)), (leaving, self._bottom(self.depth[before]))]
        for layer, lane in enumerate(chain[1:-1], self.depth[before] + 1):
            points += [(self.middles[lane], self.tops[layer]), (self.middles[lane], self._bottom(layer))]
        return [*points, (arriving, self.tops[self.depth[after]] - HEAD), (arriving, self.corners[after][1])]

    def _bottom(self, layer: int) -> float:
        return self.tops[layer] + self.heights[layer]

    def _foot(self, name: str) -> float:
        return self.corners[name][1] + self.sizes[name][1]

    def _port(self, name: str, other: str, others: Sequence[str]) -> float:
        """Where on the side of a box a line ends: spread over its middle half, in the order of where they come from."""
        place = sorted(others, key=lambda each: self.middles[each]).index(other)
        share = (place + 1) / (len(others) + 1) - 0.5
        return self.middles[name] + share * self.sizes[name][0] / 2
