/** Lists of numbers on the command line. */
import { InvalidArgumentError } from "commander";

export function range(from: number, to: number): number[] {
  return Array.from({ length: to - from + 1 }, (_, index) => from + index);
}

/** `1-5,8`. */
export function numbers(text: string): number[] {
  return text.split(",").flatMap((part) => {
    const [, from, to = from] = /^\s*(\d+)(?:-(\d+))?\s*$/.exec(part) ?? [];
    if (from === undefined || Number(from) > Number(to))
      throw new InvalidArgumentError("expected numbers, such as 1-20 or 24,30");
    return range(Number(from), Number(to));
  });
}
