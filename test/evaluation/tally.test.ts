import { Tally } from "../../evaluation/tally";

test("a window's total leaves with its last close, and the window is forgotten", () => {
  const tally = Tally.ofBytes(1_024);
  tally.add(1, 0, 2, 10);
  tally.add(2, 0, 1, 7);
  expect(tally.close(1, 2)).toBeUndefined();
  expect(tally.close(1, 2)).toEqual({ count: 2, sum: 10 });
  expect(tally.close(1, 2)).toBeUndefined();
  expect(tally.close(2, 1)).toEqual({ count: 1, sum: 7 });
});

test("parts add up whatever their order", () => {
  const part = (window: number, count: number, sum: number) => {
    const tally = Tally.ofBytes(256);
    tally.add(window, 1, count, sum);
    return tally;
  };
  const total = (parts: readonly Tally[]) => {
    const tally = parts.reduce((sum, each) => sum.absorb(each), Tally.ofBytes(256));
    return tally.close(1, 3);
  };
  const [one, two, three] = [part(1, 1, 5), part(2, 9, 9), part(1, 2, 6)];
  expect(total([one, two, three])).toEqual({ count: 3, sum: 11 });
  expect(total([three, two, one])).toEqual({ count: 3, sum: 11 });
});

test("more open windows than it has room for are refused", () => {
  const tally = Tally.ofBytes(8 + 2 * 24);
  tally.add(1, 0, 1, 1);
  tally.add(2, 0, 1, 1);
  expect(() => tally.add(3, 0, 1, 1)).toThrow("2 windows are open");
});

test("its size stays what it was", () => {
  const tally = Tally.ofBytes(16 * 1_024);
  tally.add(1, 0, 1, 1);
  tally.close(1, 1);
  expect(tally.bytes.length).toBe(16 * 1_024);
});
