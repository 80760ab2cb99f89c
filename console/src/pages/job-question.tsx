import type { JSX } from 'preact';
import { useEffect, useMemo, useState } from 'preact/hooks';
import { objectFaults } from '../model/request-faults.js';
import { FaultBox } from '../parts/fault-box.js';
import { SchemaForm } from '../parts/schema-form.js';
import { Fault } from '../wire/fault.js';
import type { FilesLink } from '../wire/files.js';
import { follow } from '../wire/follow.js';

/** What `question.json` says. */
interface Question {
  readonly message: string;
  readonly schema: unknown;
  /** Where the caller is to go. */
  readonly url?: string;
}

interface Props {
  readonly files: FilesLink;
  /** The job's directory. */
  readonly path: string;
}

/** What the driver of a running job asks its caller, and the answer; nothing while it asks nothing. */
export function JobQuestion({ files, path }: Props): JSX.Element | null {
  const [question, setQuestion] = useState<Question | null>(null);
  useEffect(() => {
    const following = new AbortController();
    setQuestion(null);
    follow(files, `${path}/status.json`, {
      isGrowing: () => true,
      over: following.signal,
      isDocument: true,
      take: async (opened) => {
        const status = JSON.parse(new TextDecoder().decode(await opened.read(0))) as { asks?: string };
        const asked = status.asks === undefined ? null : await questionIn(files, path);
        if (!following.signal.aborted) setQuestion(asked);
        return 0;
      },
    }).catch(() => {
      // What is wrong with the job is shown beside it.
      if (!following.signal.aborted) setQuestion(null);
    });
    return () => following.abort();
  }, [files, path]);
  if (question === null) return null;
  return <Answer key={JSON.stringify(question)} {...{ files, path, question }} />;
}

function Answer({ files, path, question }: Props & { readonly question: Question }): JSX.Element {
  const { message, schema, url } = question;
  const [value, setValue] = useState<Readonly<Record<string, unknown>>>({});
  const [fault, setFault] = useState<Fault | null>(null);
  const [isBusy, setBusy] = useState(false);
  const { faults } = useMemo(() => objectFaults(JSON.stringify(value), schema), [value, schema]);
  const answer = async (given: object | null): Promise<void> => {
    setBusy(true);
    try {
      await files.write(`${path}/answer.json`, `${JSON.stringify(given)}\n`);
      setFault(null);
    } catch (thrown) {
      setFault(Fault.from(thrown));
    }
    setBusy(false);
  };
  return (
    <section class="question" aria-label="Question of the service" role="group">
      <h3>It asks</h3>
      <p role="status">{message}</p>
      {url !== undefined && <p>{isWebAddress(url) ? <Elsewhere url={url} /> : url}</p>}
      <SchemaForm schema={schema} value={value} faults={faults} name="answer" onChange={setValue} />
      <div class="bar">
        <button
          type="button"
          class="primary"
          disabled={isBusy || faults.length > 0}
          onClick={() => void answer(value)}
        >
          Answer
        </button>
        <button type="button" disabled={isBusy} onClick={() => void answer(null)}>
          Decline
        </button>
      </div>
      {fault !== null && <FaultBox fault={fault} />}
    </section>
  );
}

/** The whole address is shown, as it is the server's word alone. */
function Elsewhere({ url }: { readonly url: string }): JSX.Element {
  return (
    <a class="mono" href={url} target="_blank" rel="noopener noreferrer">
      {url}
    </a>
  );
}

const isWebAddress = (url: string): boolean => /^https?:\/\//i.test(url);

/** Null where it was answered, or given up, meanwhile. @throws Fault */
async function questionIn(files: FilesLink, path: string): Promise<Question | null> {
  try {
    return JSON.parse(await files.readText(`${path}/question.json`)) as Question | null;
  } catch (thrown) {
    if (Fault.from(thrown).code === 'ENOENT') return null;
    throw thrown;
  }
}
