// Backs a folder up, restores it, and shows how progress, cancelling and errors work.
//
//   node backup.js FOLDER WORK
import assert from "node:assert/strict";
import { Code, Context } from "./seaworthy.js";

const [folder, work] = process.argv.slice(2);
if (!work) {
  console.error("usage: node backup.js FOLDER WORK");
  process.exit(2);
}

const context = await Context.fromText(
  `
state = "state"
[sink.local]
type = "local"
path = "sink"
[backup.nightly]
sinks = ["local"]
[backup.nightly.sources.data]
type = "files"
paths = [${JSON.stringify(folder)}]
`,
  work,
);

// The event loop keeps running while the library works.
let turns = 0;
let working = true;
const turn = () => {
  turns++;
  if (working) setImmediate(turn);
};
turn();

const events = [];
const document = await context.run("backup", {}, { progress: (event) => events.push(event) });
working = false;
for (const event of events) console.log(" ", event);
console.log("backup:", document.outcome);
assert.ok(events.some((event) => event.event === "started"));
assert.ok(turns > 2, "the event loop was blocked");

await context.run("restore", { snapshot: "nightly", to: `${work}/restored` });
console.log("restore: done");

const abort = new AbortController();
await assert.rejects(
  context.run("backup", {}, { progress: () => abort.abort(), signal: abort.signal }),
  (error) => {
    console.log("cancelled backup:", error.document.outcome);
    return error.code === Code.CANCELLED;
  },
);
await assert.rejects(context.run("backup", {}, { progress: () => { throw new RangeError("enough"); } }), RangeError);
await assert.rejects(context.run("backup", { jobs: ["nihgtly"] }), (error) => {
  console.log(`no such job: ${error.message}; help: ${error.remedy}`);
  return error.code === Code.INVALID_INPUT;
});
await context.close();
