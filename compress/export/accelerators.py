"""Accelerators: the operators that GPU delegates and NPUs take by their own sources, as data with its date."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Documented:
    """The operators that a library says it takes."""

    name: str
    suffix: str  # of the files that it is for
    source: str
    date: str | None  # of the source as it was read; None where it is not known
    operators: frozenset[str]


_LITERT_GPU = """
ABS ADD ADD_N AVERAGE_POOL_2D BATCH_MATMUL CAST CONCATENATION CONV_2D COS CUMSUM DENSIFY DEPTHWISE_CONV_2D
DEPTH_TO_SPACE DEQUANTIZE DIV ELU EQUAL EXP FLOOR FLOOR_DIV FLOOR_MOD FULLY_CONNECTED GATHER GELU GREATER GREATER_EQUAL
HARD_SWISH LEAKY_RELU LESS LESS_EQUAL LOG LOGICAL_AND LOGISTIC LSTM MAXIMUM MAX_POOL_2D MEAN MINIMUM MIRROR_PAD MUL NEG
NOT_EQUAL ONE_HOT PACK PAD PADV2 POW PRELU QUANTIZE REDUCE_MAX REDUCE_MIN REDUCE_PROD RELU RELU6 RELU_0_TO_1
RELU_N1_TO_1 RESHAPE RESIZE_BILINEAR RESIZE_NEAREST_NEIGHBOR RSQRT SELECT SELECT_V2 SIGN SIN SLICE SOFTMAX
SPACE_TO_DEPTH SPLIT SPLIT_V SQRT SQUARE SQUARED_DIFFERENCE STRIDED_SLICE SUB SUM TANH TILE TRANSPOSE TRANSPOSE_CONV
UNPACK
"""
_QNN = """
Abs Add And ArgMax ArgMin Asin Atan AveragePool BatchNormalization Cast Clip Concat Conv ConvTranspose Cos DepthToSpace
DequantizeLinear Div Elu Equal Exp Expand Flatten Floor Gather Gelu Gemm GlobalAveragePool Greater GreaterOrEqual
GridSample HardSwish InstanceNormalization LRN LayerNormalization LeakyRelu Less LessOrEqual Log LogSoftmax
LpNormalization MatMul Max MaxPool Min Mul Neg Not Or Prelu Pad Pow QuantizeLinear ReduceMax ReduceMean ReduceMin
ReduceProd ReduceSum Relu Resize Round Sigmoid Sign Sin Slice Softmax SpaceToDepth Split Sqrt Squeeze Sub Tanh Tile TopK
Transpose Unsqueeze Where
"""

LITERT_GPU = "LiteRT GPU delegate"
QNN = "QNN NPU by ONNX Runtime"
DOCUMENTED = (
    Documented(
        LITERT_GPU,
        ".tflite",
        "google-ai-edge/LiteRT at f6745779, tflite/delegates/gpu/common/model_builder.cc (last changed 2026-06-11)",
        "2026-08-21",
        frozenset(_LITERT_GPU.split()),
    ),
    Documented(
        QNN,
        ".onnx",
        "ONNX Runtime, QNN execution provider, `Supported ONNX operators` "
        "(microsoft/onnxruntime, docs/execution-providers/QNN-ExecutionProvider.md)",
        None,
        frozenset(_QNN.split()),
    ),
)
