"""Two graphs side by side, from the output up to the input."""

from collections.abc import Iterator

from common.errors import BadModel
from networks.importing.file_graph import FileGraph, FileNode
from networks.importing.model_graph import ModelGraph, ModelNode

LOOKED_AT = 8  # nodes above a sum, to tell its shortcut from its residual


def matched(ours: ModelGraph, theirs: FileGraph, where: str) -> Iterator[tuple[ModelNode, FileNode]]:
    """Pairs of nodes that compute the same.

    Raises:
        BadModel: the file's graph is built in another way; the message says where.
    """
    waiting, seen = [(ours.output, theirs.output)], set()
    while waiting:
        tensor, value = waiting.pop()
        pair = (ours.key(tensor), theirs.key(value))
        if pair in seen:
            continue
        seen.add(pair)
        node, other = ours.node(tensor), theirs.node(value)
        if node.kind != other.kind:
            raise BadModel(
                f"{where} is not the network {ours.name}: at {node.name}, {_said(node)} was expected and "
                f"{_said(other)} found."
            )
        yield node, other
        waiting += _paired(node, other, ours, theirs, where)


def _paired(node: ModelNode, other: FileNode, ours: ModelGraph, theirs: FileGraph, where: str) -> list[tuple]:
    if len(node.inputs) < 2:
        return list(zip(node.inputs, other.inputs, strict=True))
    here = [_signature(ours, each) for each in node.inputs]
    there = [_signature(theirs, each) for each in other.inputs]
    for told_by in (_all, _kinds):  # by the kinds alone, where all shapes differ: they are told later, by layer
        first, second = map(told_by, here)
        if [first, second] == [told_by(each) for each in there]:
            return list(zip(node.inputs, other.inputs, strict=True))
        if [second, first] == [told_by(each) for each in there]:
            return list(zip(node.inputs, other.inputs[::-1], strict=True))
    raise BadModel(f"{where} is not the network {ours.name}: what {node.name} sums is computed in other ways.")


def _signature(graph, value) -> list[tuple]:
    """Kinds and shapes of the nodes above a value, up to the next that has several inputs."""
    found = []
    for _ in range(LOOKED_AT):
        node = graph.node(value)
        found.append((node.kind, node.shape))
        if len(node.inputs) != 1:
            break
        value = node.inputs[0]
    return found


def _all(signature: list[tuple]) -> list[tuple]:
    return signature


def _kinds(signature: list[tuple]) -> list[str]:
    return [kind for kind, _ in signature]


def _said(node) -> str:
    if node.shape is None:
        return node.kind
    return f"{node.kind} {'x'.join(map(str, node.shape))}"
