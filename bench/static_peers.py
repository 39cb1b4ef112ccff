#!/usr/bin/env python3
"""One step of a small transformer layer, ours beside ONNX Runtime: the same shapes as bench/nn/static_transformer.cpp.

    bench/static_peers.py [--program build/bench/bench_nn_static_transformer] [--rounds 5]

ONNX Runtime runs the step as a graph of float32 operators, on one thread, with its buffers bound beforehand, and is called
from Python; an empty graph, called the same way, tells what the call alone takes. Both are the best of many calls, in
turns with ours. The graph's result is compared with a plain computation first. Needs onnx, onnxruntime and numpy.
"""

import argparse
import json
import pathlib
import statistics
import subprocess
import time

import numpy
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

ROOT = pathlib.Path(__file__).resolve().parent.parent
HEADS, CONTEXT, EPSILON = 4, 48, 1e-6


def make_weights(w):
    draw = numpy.random.default_rng(1)
    scaled = lambda *shape: (draw.standard_normal(shape) / numpy.sqrt(w)).astype(numpy.float32)
    return {"qkv": scaled(w, 3 * w), "output": scaled(w, w), "up": scaled(w, 4 * w), "down": scaled(4 * w, w),
            "norm": numpy.ones(w, numpy.float32)}


def normalize(x):
    return x / numpy.sqrt((x * x).mean() + EPSILON)


def plain(weights, x, keys, values):
    """keys and values are [heads][context][width / heads]; the step's own go into the last place."""
    w = x.shape[-1]
    q, k, v = numpy.split(normalize(x) @ weights["qkv"], 3)
    keys, values = keys.copy(), values.copy()
    keys[:, -1], values[:, -1] = k.reshape(HEADS, -1), v.reshape(HEADS, -1)
    scores = numpy.einsum("hd,hsd->hs", q.reshape(HEADS, -1), keys) / numpy.sqrt(w / HEADS)
    scores = numpy.exp(scores - scores.max(-1, keepdims=True))
    mixed = numpy.einsum("hs,hsd->hd", scores / scores.sum(-1, keepdims=True), values).reshape(w)
    y = x + mixed @ weights["output"]
    raised = normalize(y) @ weights["up"]
    return y + (raised / (1 + numpy.exp(-raised))) @ weights["down"]


def make_graph(w, weights):
    nodes, constants = [], [numpy_helper.from_array(value, name) for name, value in weights.items()]
    constants += [numpy_helper.from_array(numpy.array(value, kind), name) for name, value, kind in (
        ("epsilon", EPSILON, numpy.float32), ("scale", 1 / numpy.sqrt(w / HEADS), numpy.float32),
        ("by_head", [HEADS, 1, w // HEADS], numpy.int64), ("flat", [1, w], numpy.int64), ("axis", [-1], numpy.int64))]

    def add(kind, inputs, outputs, **attributes):
        nodes.append(helper.make_node(kind, inputs, outputs if isinstance(outputs, list) else [outputs], **attributes))

    def norm(x, to):
        add("Mul", [x, x], to + "_squares")
        add("ReduceMean", [to + "_squares", "axis"], to + "_mean", keepdims=1)
        add("Add", [to + "_mean", "epsilon"], to + "_sum")
        add("Sqrt", [to + "_sum"], to + "_root")
        add("Div", [x, to + "_root"], to + "_raw")
        add("Mul", [to + "_raw", "norm"], to)

    norm("x", "first")
    add("MatMul", ["first", "qkv"], "projected")
    add("Split", ["projected"], ["q", "k", "v"], axis=1, num_outputs=3)
    for name in "qkv":
        add("Reshape", [name, "by_head"], name + "_heads")
    add("Concat", ["keys", "k_heads"], "all_keys", axis=1)
    add("Concat", ["values", "v_heads"], "all_values", axis=1)
    add("Transpose", ["all_keys"], "turned", perm=[0, 2, 1])
    add("MatMul", ["q_heads", "turned"], "scores")
    add("Mul", ["scores", "scale"], "scaled")
    add("Softmax", ["scaled"], "weights", axis=-1)
    add("MatMul", ["weights", "all_values"], "mixed")
    add("Reshape", ["mixed", "flat"], "mixed_row")
    add("MatMul", ["mixed_row", "output"], "attended")
    add("Add", ["x", "attended"], "y")
    norm("y", "second")
    add("MatMul", ["second", "up"], "raised")
    add("Sigmoid", ["raised"], "gate")
    add("Mul", ["raised", "gate"], "active")
    add("MatMul", ["active", "down"], "lowered")
    add("Add", ["y", "lowered"], "out")
    tensor = lambda name, shape: helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)
    past = [HEADS, CONTEXT - 1, w // HEADS]
    return helper.make_graph(nodes, "step", [tensor("x", [1, w]), tensor("keys", past), tensor("values", past)],
                             [tensor("out", [1, w])], constants)


def session_of(graph):
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    onnx.checker.check_model(model)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
    return onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])


def best_call(session, inputs, out):
    """Seconds of the quickest of many calls."""
    binding = session.io_binding()
    for name, value in inputs.items():
        binding.bind_cpu_input(name, value)
    binding.bind_output(session.get_outputs()[0].name, "cpu", 0, numpy.float32, out.shape, out.ctypes.data)
    best = float("inf")
    for _ in range(4000):
        start = time.perf_counter()
        session.run_with_iobinding(binding)
        best = min(best, time.perf_counter() - start)
    return best


def measure_ours(program):
    command = [program, "--benchmark_format=json", "--benchmark_min_time=0.05"]
    runs = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)["benchmarks"]
    return {run["name"]: run["real_time"] / 1e9 for run in runs}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--program", default=str(ROOT / "build" / "bench" / "bench_nn_static_transformer"))
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()

    tensor = lambda name: helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 16])
    empty = session_of(helper.make_graph([helper.make_node("Identity", ["x"], ["out"])], "empty", [tensor("x")], [tensor("out")]))
    steps = {}
    for w in (16, 32, 64, 128):
        weights, draw = make_weights(w), numpy.random.default_rng(2)
        x = draw.standard_normal((1, w)).astype(numpy.float32)
        keys, values = (draw.standard_normal((HEADS, CONTEXT, w // HEADS)).astype(numpy.float32) for _ in range(2))
        session, out = session_of(make_graph(w, weights)), numpy.zeros((1, w), numpy.float32)
        inputs = {"x": x, "keys": numpy.ascontiguousarray(keys[:, :-1]), "values": numpy.ascontiguousarray(values[:, :-1])}
        best_call(session, inputs, out)
        assert numpy.allclose(out[0], plain(weights, x[0], keys, values), atol=1e-4), f"width {w}: another result"
        steps[w] = (session, inputs, out)

    ours, theirs = [], []
    for _ in range(options.rounds):
        ours.append(measure_ours(options.program))
        nothing = best_call(empty, {"x": numpy.zeros((1, 16), numpy.float32)}, numpy.zeros((1, 16), numpy.float32))
        theirs.append({w: (best_call(*step), nothing) for w, step in steps.items()})
    print(f"microseconds a step, one thread, median of {options.rounds} rounds; ONNX Runtime {onnxruntime.__version__}\n")
    kinds = [name.removeprefix("layer/W=16/") for name in ours[0] if name.startswith("layer/W=16/")]
    print("| width | " + " | ".join(kinds) + " | ONNX Runtime | its call alone |\n|" + "---|" * (len(kinds) + 3))
    for w in steps:
        row = [statistics.median(run[f"layer/W={w}/{kind}"] for run in ours) for kind in kinds]
        row += [statistics.median(run[w][i] for run in theirs) for i in range(2)]
        print(f"| {w} | " + " | ".join(f"{1e6 * value:.1f}" for value in row) + " |")


if __name__ == "__main__":
    main()
