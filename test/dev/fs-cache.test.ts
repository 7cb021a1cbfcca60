import { homedir } from "node:os";
import { join } from "node:path";
import { cacheDirectory } from "../../src/dev/fs-cache";

test.each([
  [{ DIRIGO_CACHE: "/a", XDG_CACHE_HOME: "/b" }, "/a"],
  [{ XDG_CACHE_HOME: "/b" }, "/b/dirigo"],
  [{ DIRIGO_CACHE: "", XDG_CACHE_HOME: "" }, join(homedir(), ".cache", "dirigo")],
  [{}, join(homedir(), ".cache", "dirigo")],
])("%j keeps things in %s", (environment, directory) => {
  expect(cacheDirectory(environment)).toBe(directory);
});
