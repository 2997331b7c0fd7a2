"""Runs ONNX files in ONNX Runtime, for the tests. For each FILE.onnx in a folder it takes the inputs from FILE.safetensors and
writes the outputs into FILE-result.safetensors.

    python3 -m venv /tmp/onnx && /tmp/onnx/bin/pip install -r srdiff/testdata/onnx-requirements.txt
    ONNX_PYTHON=/tmp/onnx/bin/python go test -tags onnxruntime -run ONNXRuntime ./srdiff
"""

import pathlib
import sys

import onnxruntime
from safetensors.numpy import load_file, save_file

for model in pathlib.Path(sys.argv[1]).glob("*.onnx"):
    session = onnxruntime.InferenceSession(model)
    inputs = load_file(model.with_suffix(".safetensors"))
    assert {i.name for i in session.get_inputs()} == inputs.keys(), (model, session.get_inputs())
    names = [o.name for o in session.get_outputs()]
    save_file(dict(zip(names, session.run(names, inputs))), model.with_name(model.stem + "-result.safetensors"))
