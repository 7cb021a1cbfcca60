/** OAuth client credentials for SASL OAUTHBEARER: one token, kept until shortly before it expires, asked for once at a time. */
import type { SaslSpecification } from "../config/specification";

type OauthSpecification = Extract<SaslSpecification, { mechanism: "oauthbearer" }>;

/** Renewed when less than this is left, so that no connection presents a token that dies on the way. */
const renewBeforeMs = 30_000;
const requestTimeoutMs = 10_000;
const defaultLifetimeSeconds = 300;

export function oauthTokens(specification: OauthSpecification): () => Promise<{ value: string }> {
  let token: { value: string; expiresMs: number } | undefined;
  let asked: Promise<{ value: string }> | undefined;
  return () => {
    if (token !== undefined && Date.now() < token.expiresMs - renewBeforeMs) return Promise.resolve(token);
    asked ??= requestToken(specification)
      .then((fresh) => {
        token = fresh;
        return fresh;
      })
      .finally(() => {
        asked = undefined;
      });
    return asked;
  };
}

async function requestToken({
  tokenUrl,
  clientId,
  clientSecret,
  scope,
}: OauthSpecification): Promise<{ value: string; expiresMs: number }> {
  const body = new URLSearchParams({ grant_type: "client_credentials" });
  if (scope !== undefined) body.set("scope", scope);
  const credentials = Buffer.from(`${encodeURIComponent(clientId)}:${encodeURIComponent(clientSecret)}`).toString("base64");
  const reply = await fetch(tokenUrl, {
    method: "POST",
    headers: { authorization: `Basic ${credentials}`, accept: "application/json" },
    body,
    signal: AbortSignal.timeout(requestTimeoutMs),
  });
  if (!reply.ok) throw new Error(`the OAuth token endpoint ${tokenUrl} answered ${reply.status} for client ${clientId}`);
  const { access_token: value, expires_in: seconds } = (await reply.json()) as { access_token?: unknown; expires_in?: unknown };
  if (typeof value !== "string")
    throw new Error(`the OAuth token endpoint ${tokenUrl} answered without an access_token for client ${clientId}`);
  return { value, expiresMs: Date.now() + (typeof seconds === "number" ? seconds : defaultLifetimeSeconds) * 1000 };
}
