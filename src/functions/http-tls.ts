/** TLS options for connections to an endpoint, read once from the files the module names. */
import { readFileSync } from "node:fs";
import { createSecureContext } from "node:tls";
import type { TlsSpecification } from "../config/specification";
import { ConfigError } from "../model/errors";

export interface TlsOptions {
  readonly ca?: string;
  readonly cert?: string;
  readonly key?: string;
  readonly passphrase?: string;
  readonly checkServerIdentity?: () => undefined;
}

/** `owner` is for the message: whose certificates cannot be used. Throws ConfigError with one line per file. */
export function readTls(tls: TlsSpecification, owner: string): TlsOptions {
  const findings: string[] = [];
  const read = (option: string, file: string | undefined): string | undefined => {
    if (file === undefined) return undefined;
    try {
      return readFileSync(file, "utf8");
    } catch (error) {
      findings.push(`${owner}: ${option} ${file} cannot be read: ${(error as Error).message}`);
      return undefined;
    }
  };
  const ca = tls.ca ?? read("trust_cacerts", tls.caFile);
  const cert = tls.cert ?? read("client_cert", tls.certFile);
  const key = tls.key ?? read("client_key", tls.keyFile);
  // Editors and `echo` end the file with a line break, which no password has.
  const passphrase = tls.keyPassword ?? read("client_key_password", tls.keyPasswordFile)?.replace(/\r?\n$/, "");
  if (findings.length > 0) throw new ConfigError(findings);
  const options: TlsOptions = {
    ...(ca === undefined ? {} : { ca }),
    ...(cert === undefined ? {} : { cert }),
    ...(key === undefined ? {} : { key }),
    ...(passphrase === undefined ? {} : { passphrase }),
    ...(tls.checkHostname ? {} : { checkServerIdentity: () => undefined }),
  };
  try {
    createSecureContext(options);
  } catch (error) {
    throw new ConfigError([`${owner}: its certificates cannot be used: ${(error as Error).message}`]);
  }
  return options;
}
