/**
 * Where a profile's time went: `node dist/bench/cpu-profile.js <file.cpuprofile> [rows]`. Idle time is left out; what is
 * compiled, collected and done inside Node is named as V8 names it.
 */
import { readFileSync } from "node:fs";

interface Profile {
  readonly nodes: readonly {
    readonly id: number;
    readonly callFrame: { readonly functionName: string; readonly url: string; readonly lineNumber: number };
  }[];
  readonly samples: readonly number[];
  readonly timeDeltas: readonly number[];
}

const [file, rows = "30"] = process.argv.slice(2);
if (file === undefined) throw new Error("expected the path of a .cpuprofile");
const profile = JSON.parse(readFileSync(file, "utf8")) as Profile;

const perNode = new Map<number, number>();
profile.samples.forEach((node, index) => {
  perNode.set(node, (perNode.get(node) ?? 0) + (profile.timeDeltas[index] ?? 0));
});

const perFunction = new Map<string, number>();
const perFile = new Map<string, number>();
let total = 0;
for (const { id, callFrame } of profile.nodes) {
  const time = perNode.get(id) ?? 0;
  const { functionName, url, lineNumber } = callFrame;
  if (functionName === "(idle)" || time === 0) continue;
  total += time;
  const place = url === "" ? functionName : url.replace(/^file:\/\//, "").replace(/^.*\/(dist\/src|node_modules)\//, "");
  add(perFile, place, time);
  add(perFunction, url === "" ? functionName : `${functionName || "(anonymous)"}  ${place}:${lineNumber + 1}`, time);
}

print("by function (self time)", perFunction);
print("by file", perFile);

function add(times: Map<string, number>, name: string, time: number): void {
  times.set(name, (times.get(name) ?? 0) + time);
}

function print(title: string, times: ReadonlyMap<string, number>): void {
  console.log(`${title}, of ${(total / 1e6).toFixed(2)} s`);
  const sorted = [...times].sort((a, b) => b[1] - a[1]).slice(0, Number(rows));
  for (const [name, time] of sorted) console.log(`  ${((100 * time) / total).toFixed(1).padStart(5)} %  ${name}`);
}
