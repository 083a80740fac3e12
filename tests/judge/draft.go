package main

import (
	"encoding/json"

	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/strategicpatch"
	strict "sigs.k8s.io/json"
)

// What Argo mounts into every container, after the patch (workflow/controller/workflowpod.go, createWorkflowPod).
var varRunArgo = v1.VolumeMount{Name: "var-run-argo", MountPath: "/var/run/argo"}

// drafted is the pod that Argo makes of {"pod": Pod, "podSpecPatch": PodSpec}: the template's pod, onto whose spec the
// patch is put that KFP's driver has written, as a strategic merge patch (Argo: workflow/util/util.go,
// ApplyPodSpecPatch). So mounts of one path, variables of one name and volumes of one name become one.
func drafted(line map[string]json.RawMessage) ([]byte, []problem) {
	var pod v1.Pod
	found := append(read("pod", line, &pod), read("podSpecPatch", line, &v1.PodSpec{})...)
	for key := range line {
		if key != "pod" && key != "podSpecPatch" {
			found = append(found, problem{key, "not part of a draft"})
		}
	}
	if len(found) > 0 {
		return nil, found
	}
	spec, err := json.Marshal(pod.Spec)
	if err == nil {
		spec, err = strategicpatch.StrategicMergePatch(spec, line["podSpecPatch"], v1.PodSpec{})
	}
	if err != nil {
		return nil, []problem{{"podSpecPatch", err.Error()}}
	}
	pod.Spec = v1.PodSpec{}
	if err := json.Unmarshal(spec, &pod.Spec); err != nil {
		return nil, []problem{{"podSpecPatch", err.Error()}}
	}
	for i := range pod.Spec.Containers {
		mounts := &pod.Spec.Containers[i].VolumeMounts
		*mounts = append(*mounts, varRunArgo)
	}
	text, err := json.Marshal(pod)
	if err != nil {
		return nil, []problem{{"pod", err.Error()}}
	}
	return text, nil
}

// read reads one part of a draft, strictly, so that a misspelt field is not dropped.
func read(part string, line map[string]json.RawMessage, into any) []problem {
	text, given := line[part]
	if !given {
		return []problem{{part, "missing"}}
	}
	dropped, err := strict.UnmarshalStrict(text, into)
	if err != nil {
		return []problem{{part, err.Error()}}
	}
	found := problems(dropped)
	for i := range found {
		found[i].Field = part + "." + found[i].Field
	}
	return found
}
