import { homedir, userInfo } from 'node:os';
import type { Invocation } from '../contract.js';
import { homeOfUid } from './passwd.js';

/** What a driver inherits of the node's own environment; all else is kept from it. */
const INHERITED = [
  ...['PATH', 'HOME', 'USER', 'LOGNAME', 'LANG', 'LANGUAGE', 'TZ', 'TMPDIR'],
  ...Object.keys(process.env).filter((name) => name.startsWith('LC_')),
];

export type Environment = Record<string, string>;

/** The environment of every process of a service, before any call is known. */
export function baseEnvironment(
  nodeId: string,
  serviceId: string,
  manifestEnv: Readonly<Record<string, string>>,
  uid: number | null,
): Environment {
  const env: Environment = {};
  for (const name of INHERITED) {
    const value = process.env[name];
    if (value !== undefined) env[name] = value;
  }
  env['PATH'] ??= '/usr/local/bin:/usr/bin:/bin';
  if (uid !== null && uid !== process.getuid?.()) {
    const user = homeOfUid(uid);
    env['HOME'] = user?.home ?? '/';
    env['USER'] = env['LOGNAME'] = user?.name ?? String(uid);
  } else if (env['HOME'] === undefined) {
    env['HOME'] = homedir();
    env['USER'] ??= userInfo().username;
  }
  Object.assign(env, manifestEnv);
  env['ACHERON_CALL_NODE_ID'] = nodeId;
  env['ACHERON_CALL_SERVICE_ID'] = serviceId;
  return env;
}

/** The variables that describe its call to a process (ABI "namespace-driver-v1"). Unknown is the empty string. */
export function callEnvironment(call: Invocation, configFile: string | null): Environment {
  return {
    ACHERON_CALL_INVOCATION_ID: call.id,
    ACHERON_CALL_DEADLINE_MS: String(call.deadlineMs),
    ACHERON_CALL_ROLE: call.caller.role,
    ACHERON_CALL_AGENT_ID: call.caller.agentId ?? '',
    ACHERON_CALL_PROJECT_ID: call.caller.projectId ?? '',
    ACHERON_CALL_CONFIG_FILE: configFile ?? '',
    ...(call.traceparent == null ? {} : { TRACEPARENT: call.traceparent }),
  };
}

/** The same facts as an object, for drivers that outlive one call: frames, and `ACHERON_CALL_FILE`. */
export function callFacts(
  call: Invocation,
  configFile: string | null,
): Record<string, string | number | null> {
  return {
    node_id: call.nodeId,
    service_id: call.serviceId,
    invocation_id: call.id,
    deadline_ms: call.deadlineMs,
    role: call.caller.role,
    agent_id: call.caller.agentId,
    project_id: call.caller.projectId,
    config_file: configFile,
    ...(call.traceparent == null ? {} : { traceparent: call.traceparent }),
  };
}
