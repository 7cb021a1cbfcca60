import { readFileSync } from "node:fs";
import { join } from "node:path";

/** Of the package this code is part of. */
export const version: string = JSON.parse(readFileSync(join(__dirname, "..", "..", "package.json"), "utf8")).version;
