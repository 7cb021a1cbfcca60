/** Where fetched things and the development broker's data live. */
import { homedir } from "node:os";
import { join, resolve } from "node:path";

/** DIRIGO_CACHE, then XDG_CACHE_HOME/dirigo, then ~/.cache/dirigo. */
export function cacheDirectory(environment: NodeJS.ProcessEnv = process.env): string {
  if (environment.DIRIGO_CACHE) return resolve(environment.DIRIGO_CACHE);
  if (environment.XDG_CACHE_HOME) return join(resolve(environment.XDG_CACHE_HOME), "dirigo");
  return join(homedir(), ".cache", "dirigo");
}
