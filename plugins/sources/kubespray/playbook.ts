/** What a playbook is made of that renders the templates of a checkout. */
export interface ListPlaybook {
  images: readonly string[];
  files: readonly string[];
  /** as Go names it */
  arch: string;
  /** the role whose defaults and variables count */
  role: string;
  /** path of the JSON file it writes */
  output: string;
  hasInventory: boolean;
}

const machines: Readonly<Record<string, string>> = { amd64: 'x86_64', arm64: 'aarch64', arm: 'armv7l' };

/**
 * A playbook (JSON, which is YAML) that renders templates with a role's variables and those of the inventory, and runs
 * nothing on any node. It renders as the first control plane node, whose group variables say what the cluster gets.
 */
export function listPlaybook({ images, files, arch, role, output, hasInventory }: ListPlaybook): string {
  const node = `{{ (groups['kube_control_plane'] | default(groups['all'])) | first }}`;
  const play = {
    name: 'What Kubespray downloads',
    hosts: hasInventory ? node : 'localhost',
    gather_facts: false,
    become: false,
    // A role that is never run still gives its defaults and variables, at the precedence they have in a cluster's play.
    roles: [{ role, when: false }],
    pre_tasks: [
      {
        name: 'The nodes as they will be, not the machine that renders',
        'ansible.builtin.set_fact': {
          ansible_architecture: machines[arch] ?? arch,
          ansible_system: 'Linux',
          ansible_os_family: 'Debian',
          ansible_distribution: 'Debian',
          cacheable: true,
        },
      },
    ],
    tasks: [
      {
        name: 'Render the lists',
        'ansible.builtin.copy': { dest: output, mode: '0644', content: '{{ sealift_lists | to_json }}' },
        delegate_to: 'localhost',
        vars: {
          ansible_connection: 'local',
          ansible_become: false,
          ansible_python_interpreter: '{{ ansible_playbook_python }}',
          sealift_lists: { images, files },
        },
      },
    ],
  };
  return `${JSON.stringify([play], null, 2)}\n`;
}
