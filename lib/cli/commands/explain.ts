import { Argument, Command, InvalidArgumentError } from 'commander';
import { FsError, isId, isJsonObject, type JsonValue } from '../../core/index.js';
import type { ControlClient } from '../../control/index.js';
import {
  ACTIONS,
  decide,
  type Action,
  type Decision,
  type Role,
  type ServiceFacts,
  type Session,
  type SessionProject,
} from '../../policy/index.js';
import type { ControlReply } from '../../protocol/index.js';
import { addControlOptions, withControl, type ControlFlags } from '../control-access.js';
import { jsonOption } from '../options.js';
import { printJson, printLine } from '../print.js';
import { findService, readText } from '../../worldfs/index.js';
import { openTree } from '../tree-access.js';

/** The session that is asked about. */
interface Asked {
  readonly role: Role;
  readonly agentId: string | null;
  readonly projectId: string | null;
  /** With a proof of the project's token. */
  readonly verified: boolean;
}

interface Flags extends ControlFlags {
  readonly json?: boolean;
  readonly as: Asked;
  readonly local?: boolean;
}

export function explainCommand(): Command {
  const command = new Command('explain')
    .description('Say whether somebody may do something to a service, and which rule decides.')
    .argument('<service>', 'a service, or node/service')
    .addArgument(new Argument('<action>', 'what it is about').choices([...ACTIONS]))
    .requiredOption('--as <who>', 'ROLE[,agent=ID][,project=ID[,verified]]', askedFrom)
    .option('--local', 'ask the node of this state directory, which knows no projects')
    .addOption(jsonOption());
  return addControlOptions(command)
    .addHelpText(
      'after',
      `
"verified": the session has proved the token of its project.

Examples:
  $ acheron explain --as user echo invoke
  $ acheron explain --as user,agent=claude,project=web,verified lab/echo control
  $ acheron explain --as user --local echo invoke`,
    )
    .action(async (service: string, action: Action, flags: Flags, self: Command) => {
      const found =
        flags.local === true
          ? [await localFacts(service, flags)]
          : await withControl(self, flags, ({ client }) => planeFacts(client, service, flags.as));
      const decisions = found.map(({ facts, project }) => ({
        facts,
        decision: decide(sessionFor(flags.as, project), facts, action),
      }));
      if (flags.json === true) return printJson(decisions.map((one) => documentFrom(one, action, flags.as)));
      for (const one of decisions) await printLine(textFrom(one, action, flags.as));
    });
}

/** `user,agent=claude,project=web,verified` */
function askedFrom(text: string): Asked {
  const [role, ...rest] = text.split(',');
  if (role !== 'user' && role !== 'admin')
    throw new InvalidArgumentError('It must begin with a role, user or admin.');
  const facts = new Map<string, string>();
  for (const word of rest) {
    const [name, value] = word.split('=') as [string, string | undefined];
    const isFlag = name === 'verified' && value === undefined;
    if (!isFlag && (!['agent', 'project'].includes(name) || !isId(value)))
      throw new InvalidArgumentError(`${JSON.stringify(word)} is none of agent=ID, project=ID and verified.`);
    facts.set(name, value ?? '');
  }
  if (facts.has('verified') && !facts.has('project'))
    throw new InvalidArgumentError('verified needs a project=ID.');
  return {
    role,
    agentId: facts.get('agent') ?? null,
    projectId: facts.get('project') ?? null,
    verified: facts.has('verified'),
  };
}

function sessionFor({ role, agentId }: Asked, project: SessionProject | null): Session {
  return { id: 'explain', role, agentId, project, revoked: false };
}

interface Found {
  readonly facts: ServiceFacts;
  readonly project: SessionProject | null;
}

/** @throws FsError EACCES for a token that is no admin's, ENOENT where there is no such project or service */
async function planeFacts(client: ControlClient, name: string, asked: Asked): Promise<Found[]> {
  if (client.welcome?.role !== 'admin')
    throw new FsError('EACCES', 'Only admins may ask why something is allowed or denied.', {
      hint: "Give an admin's token with --token-file.",
      path: name,
    });
  const { projects } = await client.requestAll('project_list', {});
  const project = asked.projectId === null ? null : projectNamed(projects, asked);
  const slash = name.indexOf('/');
  const serviceId = name.slice(slash + 1);
  const { nodes } = await client.requestAll('node_list', {});
  const asks = slash === -1 ? nodes.map((node) => node.node_id) : [name.slice(0, slash)];
  const found: Found[] = [];
  for (const nodeId of asks) {
    const { services } = await client.requestAll('node_service_get', { node_id: nodeId });
    const descriptor = services.find((one) => one['service_id'] === serviceId);
    if (descriptor === undefined) continue;
    const nodeProjects = projects.filter((one) => one.nodes.includes(nodeId)).map((one) => one.project_id);
    const permissions = Object.hasOwn(descriptor, 'permissions') ? descriptor['permissions'] : undefined;
    found.push({ facts: { nodeId, serviceId, permissions, nodeProjects }, project });
  }
  if (found.length === 0)
    throw new FsError('ENOENT', `There is no service ${JSON.stringify(name)}.`, {
      hint: '`acheron nodes get NODE` lists those of a node.',
    });
  return found;
}

type Project = ControlReply<'project_list'>['projects'][number];

function projectNamed(projects: readonly Project[], { projectId, verified }: Asked): SessionProject {
  const project = projects.find((one) => one.project_id === projectId);
  if (project === undefined)
    throw new FsError('ENOENT', `There is no project ${JSON.stringify(projectId)}.`, {
      hint: '`acheron project list` shows those there are.',
    });
  return {
    id: project.project_id,
    verified: verified && project.has_token,
    hasToken: project.has_token,
    accessPolicy: project.access_policy as JsonValue | undefined,
  };
}

/** What a node on this machine itself says of the service. */
async function localFacts(name: string, flags: Flags): Promise<Found> {
  if (flags.as.projectId !== null)
    throw new FsError('EINVAL', 'A node alone knows no projects.', {
      hint: 'Ask the control plane: leave out --local.',
    });
  const tree = await openTree({ stateDir: flags.stateDir });
  try {
    const path = await findService(tree.root, name, tree.op());
    const permissions: unknown = JSON.parse(await readText(tree, `${path}/PERMISSIONS.json`));
    const [, , nodeId = '', , serviceId = name] = path.split('/');
    const known = isJsonObject(permissions) ? permissions : undefined;
    return { facts: { nodeId, serviceId, permissions: known, nodeProjects: [] }, project: null };
  } finally {
    await tree.close();
  }
}

interface Decided {
  readonly facts: ServiceFacts;
  readonly decision: Decision;
}

function documentFrom({ facts, decision }: Decided, action: Action, asked: Asked): object {
  return {
    node_id: facts.nodeId,
    service_id: facts.serviceId,
    action,
    as: {
      role: asked.role,
      agent_id: asked.agentId,
      project_id: asked.projectId,
      project_verified: asked.verified,
    },
    allow: decision.allow,
    rule: decision.rule,
    reason: decision.reason,
  };
}

function textFrom({ facts, decision }: Decided, action: Action, asked: Asked): string {
  const who = [
    asked.role,
    ...(asked.agentId === null ? [] : [`agent ${asked.agentId}`]),
    ...(asked.projectId === null
      ? []
      : [`in project ${asked.projectId}${asked.verified ? ' with its token' : ''}`]),
  ].join(' ');
  return `${decision.allow ? 'allowed' : 'denied'}: ${who}: ${action} ${facts.nodeId}/${facts.serviceId}\n  ${decision.rule}: ${decision.reason}`;
}
