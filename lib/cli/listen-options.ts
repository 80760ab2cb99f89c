import type { Command } from 'commander';
import type { ControlPlaneOptions, TlsFiles } from '../control/index.js';
import { FsError } from '../core/index.js';
import { collect, option } from './options.js';
import { secretTextIn, textIn } from './plane-options.js';

/** Options of whatever listens for clients of other machines: how it proves itself, and from where it is spoken to. */
export interface ListenFlags {
  readonly tlsCert?: string;
  readonly tlsKey?: string;
  readonly insecure?: boolean;
  readonly allowOrigin?: readonly string[];
  readonly allowHost?: readonly string[];
}

export function addListenOptions(command: Command): Command {
  const text = (value: string): string => value;
  return command
    .addOption(option('--tls-cert <file>', 'the certificate, PEM'))
    .addOption(option('--tls-key <file>', 'its key, PEM'))
    .addOption(option('--insecure', 'listen beyond this machine without TLS'))
    .addOption(
      option('--allow-origin <origin>', 'let pages of this origin connect (repeatable)').argParser(
        collect(text),
      ),
    )
    .addOption(
      option('--allow-host <name>', 'a further name of this machine (repeatable)').argParser(collect(text)),
    );
}

/** @throws FsError EINVAL for half of what TLS needs, and when a file cannot be read. */
export function listenerOptions(
  flags: ListenFlags,
): Pick<ControlPlaneOptions, 'tls' | 'insecure' | 'allowOrigins' | 'allowHosts'> {
  return {
    tls: tlsFrom(flags),
    insecure: flags.insecure === true,
    allowOrigins: flags.allowOrigin ?? [],
    allowHosts: flags.allowHost ?? [],
  };
}

/** @throws FsError EINVAL for half of what TLS needs, and when a file cannot be read. */
export function tlsFrom({ tlsCert, tlsKey }: ListenFlags): TlsFiles | undefined {
  if (tlsCert === undefined && tlsKey === undefined) return undefined;
  if (tlsCert === undefined || tlsKey === undefined)
    throw new FsError('EINVAL', 'TLS needs a certificate and its key.', {
      hint: 'Give both --tls-cert and --tls-key.',
    });
  return { cert: textIn(tlsCert), key: secretTextIn(tlsKey) };
}
