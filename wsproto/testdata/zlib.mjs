// Reads lines of JSON and answers each with one: zlib with a window of exactly
// the given bits. Output is taken 64 bytes at a time, so that zlib refuses what
// lies further back than its window and not just than its output.
import readline from "node:readline";
import zlib from "node:zlib";

const sync = zlib.constants.Z_SYNC_FLUSH;
for await (const line of readline.createInterface({ input: process.stdin })) {
  const { op, bits, history, data } = JSON.parse(line);
  const options = { windowBits: bits, chunkSize: 64, flush: sync, finishFlush: sync };
  if (history !== "") options.dictionary = Buffer.from(history, "base64");
  const run = op === "inflate" ? zlib.inflateRawSync : zlib.deflateRawSync;
  let answer;
  try {
    answer = { data: run(Buffer.from(data, "base64"), options).toString("base64") };
  } catch (err) {
    answer = { error: String(err) };
  }
  console.log(JSON.stringify(answer));
}
