/** Replicas of the fake functions' endpoints: each goes away for a while now and then, alone or together with others. */
import type { World } from "./world";

export class Replicas {
  readonly #away = new Set<string>();
  #calm = false;

  constructor(private readonly world: World) {}

  start(): void {
    const { module, replicasFail } = this.world.scenario;
    if (!replicasFail) return;
    for (const [endpoint, { urls }] of module.endpoints.entries()) {
      if (urls.length > 1) for (const replica of urls.keys()) this.#leave(`${endpoint}/${replica}`);
    }
  }

  /** All are back, for good. */
  calm(): void {
    this.#calm = true;
    this.#away.clear();
  }

  isAway(endpoint: number, replica: number): boolean {
    return this.#away.has(`${endpoint}/${replica}`);
  }

  #leave(replica: string): void {
    const { agenda, chance } = this.world;
    agenda.after(chance.delay(4_000), () => {
      if (this.#calm) return;
      this.#away.add(replica);
      agenda.after(chance.delay(3_000), () => {
        if (this.#calm) return;
        this.#away.delete(replica);
        this.#leave(replica);
      });
    });
  }
}
