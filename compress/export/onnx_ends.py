"""ONNX's integer ends: a graph of Q/DQ pairs without the float operators at its image and output, signed or not."""


def drop_float_ends(model: "onnx.ModelProto") -> None:  # type: ignore[name-defined]  # noqa: F821
    """Begin behind the operator that rounds the image, and end before the one that makes the output float."""
    from onnx import TensorProto, numpy_helper

    graph = model.graph
    image, output = graph.input[0], graph.output[0]
    first = [node for node in graph.node if image.name in node.input]
    (last,) = (node for node in graph.node if output.name in node.output)
    if any(node.op_type != "QuantizeLinear" for node in first) or last.op_type != "DequantizeLinear":
        raise ValueError("the graph has float ends: make it by a scheme with integer ends")
    constants = {one.name: one for one in graph.initializer}
    unsigned = numpy_helper.to_array(constants[last.input[2]]).dtype == "uint8"
    renamed = {node.output[0]: image.name for node in first}
    for node in graph.node:
        names = [renamed.get(name, name) for name in node.input]
        del node.input[:]
        node.input.extend(names)
    given = last.input[0]
    for node in (*first, last):
        graph.node.remove(node)
    for node in graph.node:
        for names in (node.input, node.output):
            for place, name in enumerate(names):
                if name == given:
                    names[place] = output.name
    for end in (image, output):
        end.type.tensor_type.elem_type = TensorProto.UINT8 if unsigned else TensorProto.INT8


def make_unsigned(model: "onnx.ModelProto") -> None:  # type: ignore[name-defined]  # noqa: F821
    """int8 activations as uint8, 128 higher, which computes the same; weights stay as they are."""
    from onnx import numpy_helper

    graph = model.graph
    constants = {one.name: one for one in graph.initializer}
    raised: set[str] = set()
    for node in graph.node:
        if node.op_type not in ("QuantizeLinear", "DequantizeLinear") or node.input[0] in constants:
            continue
        zero_point = numpy_helper.to_array(constants[node.input[2]])
        if zero_point.dtype != "int8":  # of a layer with 16 bits
            continue
        name = f"{node.input[2]}_unsigned"
        if name not in raised:
            raised.add(name)
            graph.initializer.append(numpy_helper.from_array((zero_point.astype("int16") + 128).astype("uint8"), name))
        node.input[2] = name
