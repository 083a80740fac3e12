package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"sort"
	"strconv"
	"strings"
	"sync"

	wfapi "github.com/argoproj/argo-workflows/v4/pkg/apis/workflow/v1alpha1"
	"github.com/kubeflow/pipelines/api/v2alpha1/go/pipelinespec"
	"github.com/kubeflow/pipelines/backend/src/common/util"
	"github.com/kubeflow/pipelines/backend/src/v2/cacheutils"
	"github.com/kubeflow/pipelines/backend/src/v2/common/plugins"
	"github.com/kubeflow/pipelines/backend/src/v2/driver"
	"github.com/kubeflow/pipelines/backend/src/v2/metadata"
	"github.com/kubeflow/pipelines/backend/src/v2/objectstore"
	"github.com/kubeflow/pipelines/kubernetes_platform/go/kubernetesplatform"
	pb "github.com/kubeflow/pipelines/third_party/ml-metadata/go/ml_metadata"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/types/known/structpb"
)

var bucket = &objectstore.Config{SessionInfo: &objectstore.SessionInfo{Provider: "minio", Params: map[string]string{"fromEnv": "true"}}}

var reference = regexp.MustCompile(`\$\$|\$\(([^)]*)\)`)

// expanded is what Kubernetes makes of a container's argument.
func expanded(text string, known map[string]string) string {
	return reference.ReplaceAllStringFunc(text, func(found string) string {
		if found == "$$" {
			return "$"
		}
		if value, has := known[found[2:len(found)-1]]; has {
			return value
		}
		return found
	})
}

func flags(args []string, known map[string]string) map[string]string {
	made := map[string]string{}
	for i := 0; i < len(args); i++ {
		name := strings.TrimPrefix(args[i], "--")
		if i+1 < len(args) && args[i] != "--cache_disabled" {
			made[name] = expanded(args[i+1], known)
			i++
		}
	}
	return made
}

type none struct{ cacheutils.Client }

func (none) GetExecutionCache(string, string, string) (string, error) { return "", nil }

func (w *walker) drive(dag *dagRun, one *node, processed *wfapi.Template) {
	known := map[string]string{"KUBERNETES_SERVICE_HOST": "10.96.0.1", "KUBERNETES_SERVICE_PORT": "443"}
	if one.task.Template == "system-container-driver" {
		known["KFP_POD_NAME"], known["KFP_POD_UID"] = "the-driver", "the-drivers-uid"
	}
	for _, arg := range processed.Container.Args {
		w.largest = max(w.largest, len(arg))
	}
	given := flags(processed.Container.Args, known)
	execution, component, err := w.driver(given)
	told := w.note(one.path)
	if execution != nil && execution.ExecutorInput != nil && execution.ExecutorInput.Inputs != nil {
		text, failed := protojson.Marshal(execution.ExecutorInput.Inputs)
		if failed == nil {
			told.Inputs = text
		}
	}
	if err != nil {
		w.end(dag, one, "Failed", "driver: "+err.Error())
		return
	}
	one.outputs = map[string]string{"pod-spec-patch": execution.PodSpecPatch, "cached-decision": "false", "condition": "true",
		"execution-id": fmt.Sprint(execution.ID), "iteration-count": "0"}
	if execution.Condition != nil {
		one.outputs["condition"] = strconv.FormatBool(*execution.Condition)
	}
	if execution.Cached != nil {
		one.outputs["cached-decision"] = strconv.FormatBool(*execution.Cached)
	}
	if execution.IterationCount != nil {
		one.outputs["iteration-count"] = strconv.Itoa(*execution.IterationCount)
	}
	if execution.PodSpecPatch != "" {
		told.Patch = json.RawMessage(execution.PodSpecPatch)
	}
	body := dag.nodes[strings.TrimSuffix(one.raw.Name, "-driver")]
	if body != nil {
		w.inputs[body] = &driven{execution, component}
	}
	one.phase = "Succeeded"
}

func (w *walker) driver(given map[string]string) (*driver.Execution, *pipelinespec.ComponentSpec, error) {
	component := &pipelinespec.ComponentSpec{}
	if err := util.UnmarshalString(given["component"], component); err != nil {
		return nil, nil, fmt.Errorf("component: %w", err)
	}
	options := driver.Options{PipelineName: given["pipeline_name"], RunID: given["run_id"], RunName: given["run_name"],
		RunDisplayName: given["run_display_name"], PipelineJobCreateTimeUTC: given["pipeline_job_create_time_utc"],
		PipelineJobScheduleTimeUTC: given["pipeline_job_create_time_utc"], Namespace: "kubeflow", Component: component,
		PipelineLogLevel: "1", PublishLogs: "true", DriverType: given["type"], TaskName: given["task_name"],
		MLPipelineServerAddress: given["ml_pipeline_server_address"], MLPipelineServerPort: given["ml_pipeline_server_port"],
		MLMDServerAddress: given["mlmd_server_address"], MLMDServerPort: given["mlmd_server_port"],
		PluginDispatcher: plugins.NoOpDispatcher{}}
	var err error
	if options.DAGExecutionID, err = strconv.ParseInt(given["dag_execution_id"], 10, 64); err != nil {
		return nil, nil, err
	}
	if options.IterationIndex, err = strconv.Atoi(given["iteration_index"]); err != nil {
		return nil, nil, err
	}
	if given["task"] != "" {
		options.Task = &pipelinespec.PipelineTaskSpec{}
		if err := util.UnmarshalString(given["task"], options.Task); err != nil {
			return nil, nil, fmt.Errorf("task: %w", err)
		}
	}
	switch given["type"] {
	case "ROOT_DAG":
		options.RuntimeConfig = &pipelinespec.PipelineJob_RuntimeConfig{}
		if err := util.UnmarshalString(given["runtime_config"], options.RuntimeConfig); err != nil {
			return nil, nil, fmt.Errorf("runtime config: %w", err)
		}
		made, err := driver.RootDAG(w.ctx, options, w.client)
		return made, component, err
	case "DAG":
		made, err := driver.DAG(w.ctx, options, w.client)
		return made, component, err
	case "CONTAINER":
		options.Container = &pipelinespec.PipelineDeploymentConfig_PipelineContainerSpec{}
		if err := util.UnmarshalString(given["container"], options.Container); err != nil {
			return nil, nil, fmt.Errorf("container: %w", err)
		}
		if given["kubernetes_config"] != "" {
			options.KubernetesExecutorConfig = &kubernetesplatform.KubernetesExecutorConfig{}
			if err := util.UnmarshalString(given["kubernetes_config"], options.KubernetesExecutorConfig); err != nil {
				return nil, nil, fmt.Errorf("kubernetes config: %w", err)
			}
		}
		real, err := cacheutils.NewClient("nowhere", "1", false, nil)
		if err != nil {
			return nil, nil, err
		}
		made, err := driver.Container(w.ctx, options, w.client, none{real})
		return made, component, err
	}
	return nil, nil, fmt.Errorf("unknown driver %q", given["type"])
}

var invented = map[pipelinespec.ParameterType_ParameterTypeEnum]string{
	pipelinespec.ParameterType_STRING: `"made"`, pipelinespec.ParameterType_NUMBER_DOUBLE: "1.5",
	pipelinespec.ParameterType_NUMBER_INTEGER: "7", pipelinespec.ParameterType_BOOLEAN: "true",
	pipelinespec.ParameterType_LIST: `["a","b"]`, pipelinespec.ParameterType_STRUCT: `{"k":"v"}`}

func (w *walker) launch(found *driven, path string, failed bool) error {
	execution, err := w.client.GetExecution(w.ctx, found.execution.ID)
	if err != nil {
		return err
	}
	if execution, err = w.client.PrePublishExecution(w.ctx, execution, &metadata.ExecutionConfig{PodName: "p", PodUID: "u", Namespace: "kubeflow"}); err != nil {
		return err
	}
	state := pb.Execution_COMPLETE
	var parameters map[string]*structpb.Value
	var artifacts []*metadata.OutputArtifact
	if failed {
		state = pb.Execution_FAILED
	} else {
		parameters = map[string]*structpb.Value{}
		for name, one := range found.component.GetOutputDefinitions().GetParameters() {
			text, given := w.done[path].Parameters[name]
			if !given {
				text = json.RawMessage(invented[one.GetParameterType()])
			}
			value := &structpb.Value{}
			if err := protojson.Unmarshal(text, value); err != nil {
				return err
			}
			parameters[name] = value
		}
		names := []string{}
		for name := range found.execution.ExecutorInput.GetOutputs().GetArtifacts() {
			names = append(names, name)
		}
		sort.Strings(names)
		for _, name := range names {
			list := found.execution.ExecutorInput.GetOutputs().GetArtifacts()[name].GetArtifacts()
			if len(list) == 0 {
				continue
			}
			if text, given := w.done[path].Artifacts[name]; given {
				value := &structpb.Struct{}
				if err := protojson.Unmarshal(text, value); err != nil {
					return err
				}
				list[0].Metadata = value
			}
			schema := "title: " + list[0].GetType().GetSchemaTitle()
			made, err := w.client.RecordArtifact(w.ctx, name, schema, list[0], pb.Artifact_LIVE, bucket)
			if err != nil {
				return err
			}
			artifacts = append(artifacts, made)
		}
	}
	if err := w.client.PublishExecution(w.ctx, execution, parameters, artifacts, state); err != nil {
		return err
	}
	parent, err := w.client.GetDAG(w.ctx, execution.GetExecution().CustomProperties["parent_dag_id"].GetIntValue())
	if err != nil {
		return err
	}
	pipeline, err := w.client.GetPipelineFromExecution(w.ctx, execution.GetID())
	if err != nil {
		return err
	}
	return w.client.UpdateDAGExecutionsState(w.ctx, parent, pipeline)
}

func (w *walker) importer(one *node) error {
	known := map[string]string{"KFP_POD_NAME": "p", "KFP_POD_UID": "u", "KUBERNETES_SERVICE_HOST": "10.96.0.1", "KUBERNETES_SERVICE_PORT": "443"}
	given := flags(one.template.Container.Args, known)
	component, spec, task := &pipelinespec.ComponentSpec{}, &pipelinespec.PipelineDeploymentConfig_ImporterSpec{}, &pipelinespec.PipelineTaskSpec{}
	if err := protojson.Unmarshal([]byte(given["component_spec"]), component); err != nil {
		return err
	}
	if err := protojson.Unmarshal([]byte(given["importer_spec"]), spec); err != nil {
		return err
	}
	if err := protojson.Unmarshal([]byte(given["task_spec"]), task); err != nil {
		return err
	}
	parent, err := strconv.ParseInt(given["parent_dag_id"], 10, 64)
	if err != nil {
		return err
	}
	pipeline, err := w.client.GetPipeline(w.ctx, given["pipeline_name"], given["run_id"], "", "", "", "")
	if err != nil {
		return err
	}
	kind := metadata.ImporterExecutionTypeName
	if spec.GetDownloadToWorkspace() {
		kind = metadata.ImporterWorkspaceExecutionTypeName
	}
	made, err := w.client.CreateExecution(w.ctx, pipeline, &metadata.ExecutionConfig{TaskName: task.GetTaskInfo().GetName(),
		ExecutionType: metadata.ExecutionType(kind), ParentDagID: parent})
	if err != nil {
		return err
	}
	uri := spec.GetArtifactUri().GetConstant().GetStringValue()
	if name := spec.GetArtifactUri().GetRuntimeParameter(); name != "" {
		around, err := w.client.GetDAG(w.ctx, parent)
		if err != nil {
			return err
		}
		values, _, err := around.Execution.GetParameters()
		if err != nil {
			return err
		}
		uri = values[task.GetInputs().GetParameters()[name].GetComponentInputParameter()].GetStringValue()
	}
	if uri == "" {
		return fmt.Errorf("empty artifact URI")
	}
	if _, err := objectstore.ParseProviderFromPath(uri); err != nil {
		return fmt.Errorf("no provider scheme found in artifact URI: %s", uri)
	}
	w.note(one.path).Inputs = json.RawMessage(fmt.Sprintf(`{"uri":%q}`, uri))
	typeID, err := w.client.GetOrInsertArtifactType(w.ctx, "title: "+spec.GetTypeSchema().GetSchemaTitle())
	if err != nil {
		return err
	}
	state := pb.Artifact_LIVE
	artifact := &pb.Artifact{TypeId: &typeID, State: &state, Uri: &uri, Properties: map[string]*pb.Value{}, CustomProperties: map[string]*pb.Value{}}
	if !spec.GetReimport() {
		matched, err := w.client.FindMatchedArtifact(w.ctx, artifact, pipeline.GetCtxID())
		if err != nil {
			return err
		}
		if matched != nil {
			artifact = matched
		}
	}
	for name := range component.GetOutputDefinitions().GetArtifacts() {
		err = w.client.PublishExecution(w.ctx, made, nil, []*metadata.OutputArtifact{{Name: name, Artifact: artifact}}, pb.Execution_COMPLETE)
	}
	return err
}

var once sync.Once

// kubernetes gives KFP's clients an API server that has nothing.
func kubernetes() {
	once.Do(func() {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(404)
			w.Write([]byte(`{"kind":"Status","apiVersion":"v1","status":"Failure","reason":"NotFound","code":404}`))
		}))
		folder, _ := os.MkdirTemp("", "kube")
		file := filepath.Join(folder, "config")
		os.WriteFile(file, []byte(fmt.Sprintf(`{"apiVersion":"v1","kind":"Config","current-context":"a","contexts":[{"name":"a","context":{"cluster":"a","user":"a"}}],"clusters":[{"name":"a","cluster":{"server":%q}}],"users":[{"name":"a","user":{}}]}`, server.URL)), 0o600)
		os.Setenv("KUBECONFIG", file)
	})
}
