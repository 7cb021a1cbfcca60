/** Histograms as plain numbers: observing is a few steps, reading is somebody else's work. */

/** Upper bounds in ms: a factor of about 1.6 between neighbours, 0.25 ms to 60 s. */
export const latencyBoundsMs: readonly number[] = [
  0.25, 0.5, 1, 1.5, 2.5, 4, 6, 10, 15, 25, 40, 60, 100, 150, 250, 400, 600, 1000, 1500, 2500, 4000, 6000, 10000, 30000, 60000,
];
export const sizeBounds: readonly number[] = [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096, 8192, 16384];

export class Histogram {
  /** counts[i] = observations ≤ bounds[i] and > bounds[i-1]; the last one is above all bounds. */
  readonly counts: Float64Array;
  sum = 0;
  count = 0;
  constructor(readonly bounds: readonly number[]) {
    this.counts = new Float64Array(bounds.length + 1);
  }

  observe(value: number): void {
    this.observeMany(value, 1);
  }

  observeMany(value: number, times: number): void {
    let low = 0;
    let high = this.bounds.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (value <= (this.bounds[middle] as number)) high = middle;
      else low = middle + 1;
    }
    this.counts[low] = (this.counts[low] as number) + times;
    this.sum += value * times;
    this.count += times;
  }
}
