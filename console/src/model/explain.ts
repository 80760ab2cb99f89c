import { ACTIONS, decide, type Action, type Decision, type ServiceFacts, type Session } from 'acheron/policy';
import type { ControlReply } from 'acheron/protocol';

type Project = ControlReply<'project_list'>['projects'][number];
type Token = ControlReply<'token_list'>['tokens'][number];

export { ACTIONS };

/** Somebody whom a service may meet, and what it lets him do. */
export interface Explained {
  readonly key: string;
  readonly who: string;
  readonly decisions: readonly { readonly action: Action; readonly decision: Decision }[];
}

/** What each kind of session may do to a service, and by which rule: as the control plane and the nodes decide. */
export function explained(
  service: Omit<ServiceFacts, 'nodeProjects'>,
  projects: readonly Project[],
  tokens: readonly Token[],
): readonly Explained[] {
  const nodeProjects = projects
    .filter(({ nodes }) => nodes.includes(service.nodeId))
    .map(({ project_id }) => project_id);
  return whoThereIs(projects, tokens).map(({ who, session }) => ({
    key: who,
    who,
    decisions: ACTIONS.map((action) => ({
      action,
      decision: decide(session, { ...service, nodeProjects }, action),
    })),
  }));
}

/** Admins, users without a project, and of each project users without its token, with it, and each agent. */
function whoThereIs(
  projects: readonly Project[],
  tokens: readonly Token[],
): readonly { readonly who: string; readonly session: Session }[] {
  const agents = [
    ...new Set(
      tokens.flatMap(({ role, agent_id, revoked_at_ms }) =>
        role === 'user' && revoked_at_ms === null && agent_id !== null ? [agent_id] : [],
      ),
    ),
  ];
  const session = (facts: Partial<Session>): Session => ({
    id: 'explain',
    role: 'user',
    agentId: null,
    project: null,
    revoked: false,
    ...facts,
  });
  return [
    { who: 'admin', session: session({ role: 'admin' }) },
    { who: 'user', session: session({}) },
    ...projects.flatMap((project) => {
      const of = (verified: boolean): Session['project'] => ({
        id: project.project_id,
        verified,
        hasToken: project.has_token,
        accessPolicy: project.access_policy as NonNullable<Session['project']>['accessPolicy'],
      });
      return [null, ...agents].flatMap((agentId) =>
        (project.has_token ? [false, true] : [false]).map((verified) => ({
          who: [
            agentId === null ? 'user' : `agent ${agentId}`,
            `in ${project.project_id}`,
            ...(verified ? ['with its token'] : []),
          ].join(' '),
          session: session({ agentId, project: of(verified) }),
        })),
      );
    }),
  ];
}
