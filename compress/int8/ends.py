"""Ends: an int8 graph whose image and output are integers themselves, as an accelerator takes them."""

from copy import deepcopy

import torch
from torch.fx import GraphModule, Node

from compress.quiet import quiet


def on_integers(graph: GraphModule) -> GraphModule:
    """A copy of `graph` (of a scheme with integer ends) from int8 (B, 3, H, W) to int8, of levels less 128.

    Its float operators at the ends are gone, and nothing else is changed. Raises ValueError where an end is no integer.
    """
    with quiet():
        import torchao.quantization.pt2e.quantize_pt2e  # noqa: F401  makes the operators known

        operators = torch.ops.quantized_decomposed
        bare = deepcopy(graph)
    (image,) = (node for node in bare.graph.nodes if node.op == "placeholder")
    (output,) = (node for node in bare.graph.nodes if node.op == "output")
    rounded = list(image.users)
    if any(node.target != operators.quantize_per_tensor.default for node in rounded):
        raise ValueError("the graph computes with its image in float: make it by a scheme with integer ends")
    for node in rounded:
        node.replace_all_uses_with(image)
        bare.graph.erase_node(node)
    (last,) = output.all_input_nodes
    if last.target != operators.dequantize_per_tensor.default:
        raise ValueError("the graph gives its output in float: make it by a scheme with integer ends")
    output.replace_input_with(last, _integers(last))
    bare.graph.eliminate_dead_code()
    bare.recompile()
    return bare


def _integers(dequantize: Node) -> Node:
    source = dequantize.args[0]
    assert isinstance(source, Node)
    return source
