/** What to do when a registry wants a project or repository to be there before the first push. `path` is below the host. */
export function missingRepositoryRemedy(path: string): string {
  const project = path.split('/')[0]!;
  return (
    `create it first: in Harbor the project "${project}", ` +
    `in ECR \`aws ecr create-repository --repository-name ${path}\`; then retry`
  );
}
