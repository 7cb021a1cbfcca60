import { RecentOutputs } from "../../src/observe/recent";

const START = 1_700_000_000_000;

describe("outputs of the last minute", () => {
  it("are counted, and forgotten after a minute and not before", () => {
    const recent = new RecentOutputs();
    recent.observe(true, START);
    recent.observe(false, START + 9_999);
    recent.observe(false, START + 30_000);
    expect(recent.counts(START + 30_000)).toEqual({ spanMs: 60_000, met: 1, missed: 2 });
    expect(recent.counts(START + 69_999)).toEqual({ spanMs: 69_999, met: 1, missed: 2 });
    expect(recent.counts(START + 70_000)).toEqual({ spanMs: 60_000, met: 0, missed: 1 });
  });

  it("leave their place to later ones", () => {
    const recent = new RecentOutputs();
    for (let at = 0; at < 600_000; at += 1_000) recent.observe(at < 540_000, START + at);
    const { met, missed } = recent.counts(START + 599_999);
    expect([met, missed]).toEqual([10, 60]);
    expect(recent.counts(START + 700_000)).toMatchObject({ met: 0, missed: 0 });
  });
});
