/**
 * StateFun's protocol read and written by protobufjs from its .proto text: an oracle for the codecs written by hand, and
 * the language of the tests' stand-in router.
 */
import { parse, type Type as Schema } from "protobufjs";

const proto = `
syntax = "proto3";
message Address { string namespace = 1; string type = 2; string id = 3; }
message TypedValue { string typename = 1; bool has_value = 2; bytes value = 3; }
message ToFunction {
  message PersistedValue { string state_name = 1; TypedValue state_value = 2; }
  message Invocation { Address caller = 1; TypedValue argument = 2; }
  message InvocationBatchRequest { Address target = 1; repeated PersistedValue state = 2; repeated Invocation invocations = 3; }
  oneof request { InvocationBatchRequest invocation = 100; }
}
message FromFunction {
  message PersistedValueMutation {
    enum MutationType { DELETE = 0; MODIFY = 1; }
    MutationType mutation_type = 1; string state_name = 2; TypedValue state_value = 3;
  }
  message Invocation { Address target = 1; TypedValue argument = 2; }
  message DelayedInvocation {
    int64 delay_in_ms = 1; Address target = 2; TypedValue argument = 3;
    bool is_cancellation_request = 10; string cancellation_token = 11;
  }
  message EgressMessage { string egress_namespace = 1; string egress_type = 2; TypedValue argument = 3; }
  message InvocationResponse {
    repeated PersistedValueMutation state_mutations = 1; repeated Invocation outgoing_messages = 2;
    repeated DelayedInvocation delayed_invocations = 3; repeated EgressMessage outgoing_egresses = 4;
  }
  message ExpirationSpec {
    enum ExpireMode { NONE = 0; AFTER_WRITE = 1; AFTER_INVOKE = 2; }
    ExpireMode mode = 1; int64 expire_after_millis = 2;
  }
  message PersistedValueSpec { string state_name = 1; ExpirationSpec expiration_spec = 2; string type_typename = 3; }
  message IncompleteInvocationContext { repeated PersistedValueSpec missing_values = 1; }
  oneof response { InvocationResponse invocation_result = 100; IncompleteInvocationContext incomplete_invocation_context = 101; }
}
message KafkaProducerRecord { string key = 1; bytes value_bytes = 2; string topic = 3; }
message BooleanWrapper { bool value = 1; }
message IntWrapper { sfixed32 value = 1; }
message LongWrapper { sfixed64 value = 1; }
message FloatWrapper { float value = 1; }
message DoubleWrapper { double value = 1; }
message StringWrapper { string value = 1; }
`;

const root = parse(proto, { keepCase: true }).root;

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
  return root.lookupType(name);
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
