/** Reads module.yaml files from disk, and looks for the files they name. */
import { accessSync, constants, readFileSync, statSync } from "node:fs";
import { dirname, resolve } from "node:path";
import type { Finding } from "./finding";
import type { ModuleFile } from "./module";
import type { Located } from "./place";

export function readModuleFiles(paths: readonly string[]): {
  readonly files: readonly ModuleFile[];
  readonly findings: readonly Finding[];
} {
  const files: ModuleFile[] = [];
  const findings: Finding[] = [];
  for (const path of paths) {
    try {
      files.push({ path, text: readFileSync(path, "utf8"), locate: (named) => locate(dirname(path), named) });
    } catch (error) {
      findings.push({ file: path, problem: `cannot be read: ${reason(error)}`, expected: "the path of a module.yaml" });
    }
  }
  return { files, findings };
}

function locate(folder: string, named: string): Located {
  const path = resolve(folder, named);
  try {
    accessSync(path, constants.R_OK);
    return { path, problem: statSync(path).isFile() ? undefined : "it is no file" };
  } catch (error) {
    return { path, problem: reason(error) };
  }
}

function reason(error: unknown): string {
  const code = typeof error === "object" && error !== null && "code" in error ? error.code : undefined;
  if (code === "ENOENT") return "there is no such file";
  if (code === "EISDIR") return "it is a folder";
  if (code === "EACCES") return "access is denied";
  return error instanceof Error ? error.message : String(error);
}
