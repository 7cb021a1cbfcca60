/**
 * StateFun's protocol read and written by protobufjs, with everything that a router or a host may look at: an oracle for the codecs
 * written by hand, and the language of the tests' stand-in router.
 */
import type { Type as Schema } from "protobufjs";
import { protocol } from "../support/statefun-proto";

export interface ProtocolAddress {
  readonly namespace: string;
  readonly type: string;
  readonly id: string;
}

export interface ProtocolValue {
  readonly typename: string;
  readonly has_value: boolean;
  readonly value: Buffer;
}

export interface ProtocolRequest {
  readonly target: ProtocolAddress;
  readonly state: readonly { readonly state_name: string; readonly state_value?: ProtocolValue | null }[];
  readonly invocations: readonly { readonly caller?: ProtocolAddress | null; readonly argument: ProtocolValue }[];
}

export interface ProtocolResult {
  readonly state_mutations: readonly {
    readonly mutation_type: "DELETE" | "MODIFY";
    readonly state_name: string;
    readonly state_value: ProtocolValue | null;
  }[];
  readonly outgoing_messages: readonly { readonly target: ProtocolAddress; readonly argument: ProtocolValue }[];
  readonly delayed_invocations: readonly {
    readonly delay_in_ms: number;
    readonly target: ProtocolAddress | null;
    readonly argument: ProtocolValue | null;
    readonly is_cancellation_request: boolean;
    readonly cancellation_token: string;
  }[];
  readonly outgoing_egresses: readonly {
    readonly egress_namespace: string;
    readonly egress_type: string;
    readonly argument: ProtocolValue;
  }[];
}

export interface ProtocolSpecification {
  readonly state_name: string;
  readonly type_typename: string;
  readonly expiration_spec: {
    readonly mode: "NONE" | "AFTER_WRITE" | "AFTER_INVOKE";
    readonly expire_after_millis: number;
  } | null;
}

export interface ProtocolReply {
  readonly invocation_result?: ProtocolResult;
  readonly incomplete_invocation_context?: { readonly missing_values: readonly ProtocolSpecification[] };
}

function schema(name: string): Schema {
  return protocol.lookupType(name);
}

function encode(name: string, value: object): Buffer {
  const type = schema(name);
  return Buffer.from(type.encode(type.fromObject(value)).finish());
}

/** Lists and texts left out on the wire come as empty ones, messages left out as null. */
function decode(name: string, bytes: Uint8Array): unknown {
  const type = schema(name);
  return type.toObject(type.decode(Buffer.from(bytes)), { longs: Number, enums: String, bytes: Buffer, defaults: true });
}

export function encodeRequest(request: ProtocolRequest): Buffer {
  return encode("ToFunction", { invocation: request });
}

export function decodeRequest(bytes: Uint8Array): ProtocolRequest {
  return (decode("ToFunction", bytes) as { invocation: ProtocolRequest }).invocation;
}

export function decodeReply(bytes: Uint8Array): ProtocolReply {
  return decode("FromFunction", bytes) as ProtocolReply;
}

export function decodeKafkaRecord(bytes: Uint8Array): {
  readonly key: string;
  readonly value_bytes: Buffer;
  readonly topic: string;
} {
  return decode("KafkaProducerRecord", bytes) as { key: string; value_bytes: Buffer; topic: string };
}

export type WrapperName = "BooleanWrapper" | "IntWrapper" | "LongWrapper" | "FloatWrapper" | "DoubleWrapper" | "StringWrapper";

export function encodeWrapper(name: WrapperName, value: unknown): Buffer {
  return encode(name, { value: typeof value === "bigint" ? value.toString() : value });
}

export function decodeWrapper(name: WrapperName, bytes: Uint8Array): unknown {
  const type = schema(name);
  return type.toObject(type.decode(Buffer.from(bytes)), { longs: String, defaults: true }).value;
}

export function typedValue(typename: string, value: Uint8Array): ProtocolValue {
  return { typename, has_value: true, value: Buffer.from(value) };
}
