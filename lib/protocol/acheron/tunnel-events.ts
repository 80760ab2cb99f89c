import * as z from 'zod';
import { MAX_TOKEN_CHARS } from '../limits.js';
import { wireSession } from './session.js';

/**
 * What a control plane pushes to a node on the node's tunnel: the sessions on whose behalf requests come
 * (`s` names one), and what the node cannot know by itself. Taken from the control plane alone.
 */
export const TUNNEL_EVENTS = {
  e_session: {
    about: 'a session as it is from now on',
    payload: z.object({ session: wireSession }),
  },
  e_session_end: {
    about: 'a session that will not be named again; what it had open is closed',
    payload: z.object({ id: z.string().max(MAX_TOKEN_CHARS) }),
  },
  e_node_facts: {
    about: 'the projects that name this node',
    payload: z.object({ node_projects: z.array(z.string()) }),
  },
} as const;
