package main

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	pb "github.com/kubeflow/pipelines/third_party/ml-metadata/go/ml_metadata"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
)

// store is ML Metadata in memory: all that KFP's client asks of it, for one run at a time.
type store struct {
	pb.MetadataStoreServiceClient
	types      map[string]int64
	names      map[int64]string
	contexts   []*pb.Context
	parents    map[int64][]int64
	executions []*pb.Execution
	of         map[int64][]int64 // contexts of an execution
	artifacts  []*pb.Artifact
	attributed map[int64][]int64 // contexts of an artifact
	events     []*pb.Event
}

func newStore() *store {
	return &store{types: map[string]int64{}, names: map[int64]string{}, parents: map[int64][]int64{}, of: map[int64][]int64{}, attributed: map[int64][]int64{}}
}

func (s *store) typeID(kind, name string) *int64 {
	key := kind + "/" + name
	if _, known := s.types[key]; !known {
		s.types[key] = int64(len(s.types) + 1)
		s.names[s.types[key]] = name
	}
	return proto.Int64(s.types[key])
}

func copied[T proto.Message](one T) T { return proto.Clone(one).(T) }

func (s *store) PutContextType(_ context.Context, in *pb.PutContextTypeRequest, _ ...grpc.CallOption) (*pb.PutContextTypeResponse, error) {
	return &pb.PutContextTypeResponse{TypeId: s.typeID("context", in.GetContextType().GetName())}, nil
}

func (s *store) GetContextType(_ context.Context, in *pb.GetContextTypeRequest, _ ...grpc.CallOption) (*pb.GetContextTypeResponse, error) {
	return &pb.GetContextTypeResponse{ContextType: &pb.ContextType{Id: s.typeID("context", in.GetTypeName()), Name: in.TypeName}}, nil
}

func (s *store) PutExecutionType(_ context.Context, in *pb.PutExecutionTypeRequest, _ ...grpc.CallOption) (*pb.PutExecutionTypeResponse, error) {
	return &pb.PutExecutionTypeResponse{TypeId: s.typeID("execution", in.GetExecutionType().GetName())}, nil
}

func (s *store) PutArtifactType(_ context.Context, in *pb.PutArtifactTypeRequest, _ ...grpc.CallOption) (*pb.PutArtifactTypeResponse, error) {
	return &pb.PutArtifactTypeResponse{TypeId: s.typeID("artifact", in.GetArtifactType().GetName())}, nil
}

func (s *store) GetArtifactType(_ context.Context, in *pb.GetArtifactTypeRequest, _ ...grpc.CallOption) (*pb.GetArtifactTypeResponse, error) {
	return &pb.GetArtifactTypeResponse{ArtifactType: &pb.ArtifactType{Id: s.typeID("artifact", in.GetTypeName()), Name: in.TypeName}}, nil
}

func (s *store) GetContextByTypeAndName(_ context.Context, in *pb.GetContextByTypeAndNameRequest, _ ...grpc.CallOption) (*pb.GetContextByTypeAndNameResponse, error) {
	id := s.typeID("context", in.GetTypeName())
	for _, one := range s.contexts {
		if one.GetTypeId() == *id && one.GetName() == in.GetContextName() {
			return &pb.GetContextByTypeAndNameResponse{Context: copied(one)}, nil
		}
	}
	return &pb.GetContextByTypeAndNameResponse{}, nil
}

func (s *store) PutContexts(_ context.Context, in *pb.PutContextsRequest, _ ...grpc.CallOption) (*pb.PutContextsResponse, error) {
	out := &pb.PutContextsResponse{}
	for _, one := range in.GetContexts() {
		kept := copied(one)
		kept.Id = proto.Int64(int64(len(s.contexts) + 1))
		s.contexts = append(s.contexts, kept)
		out.ContextIds = append(out.ContextIds, kept.GetId())
	}
	return out, nil
}

func (s *store) GetContextsByID(_ context.Context, in *pb.GetContextsByIDRequest, _ ...grpc.CallOption) (*pb.GetContextsByIDResponse, error) {
	out := &pb.GetContextsByIDResponse{}
	for _, id := range in.GetContextIds() {
		out.Contexts = append(out.Contexts, copied(s.contexts[id-1]))
	}
	return out, nil
}

func (s *store) PutParentContexts(_ context.Context, in *pb.PutParentContextsRequest, _ ...grpc.CallOption) (*pb.PutParentContextsResponse, error) {
	for _, one := range in.GetParentContexts() {
		s.parents[one.GetChildId()] = append(s.parents[one.GetChildId()], one.GetParentId())
	}
	return &pb.PutParentContextsResponse{}, nil
}

func (s *store) GetParentContextsByContext(_ context.Context, in *pb.GetParentContextsByContextRequest, _ ...grpc.CallOption) (*pb.GetParentContextsByContextResponse, error) {
	out := &pb.GetParentContextsByContextResponse{}
	for _, id := range s.parents[in.GetContextId()] {
		out.Contexts = append(out.Contexts, copied(s.contexts[id-1]))
	}
	return out, nil
}

func (s *store) PutExecution(_ context.Context, in *pb.PutExecutionRequest, _ ...grpc.CallOption) (*pb.PutExecutionResponse, error) {
	kept := copied(in.GetExecution())
	if kept.Id == nil {
		if kept.GetName() != "" {
			for _, one := range s.executions {
				if one.GetName() == kept.GetName() && one.GetTypeId() == kept.GetTypeId() {
					return nil, status.Errorf(codes.AlreadyExists, "execution %s", kept.GetName())
				}
			}
		}
		kept.Id = proto.Int64(int64(len(s.executions) + 1))
		s.executions = append(s.executions, kept)
		kept.Type = proto.String(s.names[kept.GetTypeId()])
	} else {
		s.executions[kept.GetId()-1] = kept
		kept.Type = proto.String(s.names[kept.GetTypeId()])
	}
	out := &pb.PutExecutionResponse{ExecutionId: kept.Id}
	for _, one := range in.GetContexts() {
		s.of[kept.GetId()] = append(s.of[kept.GetId()], one.GetId())
	}
	for _, pair := range in.GetArtifactEventPairs() {
		event := copied(pair.GetEvent())
		event.ExecutionId = kept.Id
		if pair.GetArtifact() != nil {
			id := pair.GetArtifact().GetId()
			if id == 0 {
				id = s.artifact(pair.GetArtifact())
			}
			event.ArtifactId = proto.Int64(id)
		}
		out.ArtifactIds = append(out.ArtifactIds, event.GetArtifactId())
		for _, one := range in.GetContexts() {
			s.attributed[event.GetArtifactId()] = append(s.attributed[event.GetArtifactId()], one.GetId())
		}
		s.events = append(s.events, event)
	}
	for _, one := range in.GetContexts() {
		out.ContextIds = append(out.ContextIds, one.GetId())
	}
	return out, nil
}

func (s *store) artifact(one *pb.Artifact) int64 {
	kept := copied(one)
	kept.Id = proto.Int64(int64(len(s.artifacts) + 1))
	kept.Type = proto.String(s.names[kept.GetTypeId()])
	s.artifacts = append(s.artifacts, kept)
	return kept.GetId()
}

func (s *store) PutArtifacts(_ context.Context, in *pb.PutArtifactsRequest, _ ...grpc.CallOption) (*pb.PutArtifactsResponse, error) {
	out := &pb.PutArtifactsResponse{}
	for _, one := range in.GetArtifacts() {
		out.ArtifactIds = append(out.ArtifactIds, s.artifact(one))
	}
	return out, nil
}

func (s *store) GetArtifactsByID(_ context.Context, in *pb.GetArtifactsByIDRequest, _ ...grpc.CallOption) (*pb.GetArtifactsByIDResponse, error) {
	out := &pb.GetArtifactsByIDResponse{}
	asked := map[int64]bool{}
	for _, id := range in.GetArtifactIds() {
		asked[id] = true
	}
	for _, one := range s.artifacts { // each once, by id, as from a database
		if asked[one.GetId()] {
			out.Artifacts = append(out.Artifacts, copied(one))
		}
	}
	return out, nil
}

func (s *store) GetArtifactsByURI(_ context.Context, in *pb.GetArtifactsByURIRequest, _ ...grpc.CallOption) (*pb.GetArtifactsByURIResponse, error) {
	out := &pb.GetArtifactsByURIResponse{}
	for _, one := range s.artifacts {
		for _, uri := range in.GetUris() {
			if one.GetUri() == uri {
				out.Artifacts = append(out.Artifacts, copied(one))
			}
		}
	}
	return out, nil
}

func (s *store) GetContextsByArtifact(_ context.Context, in *pb.GetContextsByArtifactRequest, _ ...grpc.CallOption) (*pb.GetContextsByArtifactResponse, error) {
	out := &pb.GetContextsByArtifactResponse{}
	for _, id := range s.attributed[in.GetArtifactId()] {
		out.Contexts = append(out.Contexts, copied(s.contexts[id-1]))
	}
	return out, nil
}

func (s *store) GetExecutionsByID(_ context.Context, in *pb.GetExecutionsByIDRequest, _ ...grpc.CallOption) (*pb.GetExecutionsByIDResponse, error) {
	out := &pb.GetExecutionsByIDResponse{}
	for _, id := range in.GetExecutionIds() {
		if id > 0 && int(id) <= len(s.executions) {
			out.Executions = append(out.Executions, copied(s.executions[id-1]))
		}
	}
	return out, nil
}

func (s *store) GetContextsByExecution(_ context.Context, in *pb.GetContextsByExecutionRequest, _ ...grpc.CallOption) (*pb.GetContextsByExecutionResponse, error) {
	out := &pb.GetContextsByExecutionResponse{}
	seen := map[int64]bool{}
	for _, id := range s.of[in.GetExecutionId()] {
		if !seen[id] {
			out.Contexts = append(out.Contexts, copied(s.contexts[id-1]))
		}
		seen[id] = true
	}
	return out, nil
}

func (s *store) GetExecutionsByContext(_ context.Context, in *pb.GetExecutionsByContextRequest, _ ...grpc.CallOption) (*pb.GetExecutionsByContextResponse, error) {
	out := &pb.GetExecutionsByContextResponse{}
	query := in.GetOptions().GetFilterQuery()
	parent := int64(-1)
	if query != "" {
		_, text, found := strings.Cut(query, "custom_properties.parent_dag_id.int_value = ")
		number, err := strconv.ParseInt(text, 10, 64)
		if !found || err != nil {
			return nil, fmt.Errorf("unknown query %q", query)
		}
		parent = number
	}
	for _, one := range s.executions {
		inside := false
		for _, id := range s.of[one.GetId()] {
			inside = inside || id == in.GetContextId()
		}
		value, has := one.GetCustomProperties()["parent_dag_id"]
		if inside && (parent < 0 || (has && value.GetIntValue() == parent)) {
			out.Executions = append(out.Executions, copied(one))
		}
	}
	return out, nil
}

func (s *store) GetExecutionByTypeAndName(_ context.Context, in *pb.GetExecutionByTypeAndNameRequest, _ ...grpc.CallOption) (*pb.GetExecutionByTypeAndNameResponse, error) {
	for _, one := range s.executions {
		if one.GetType() == in.GetTypeName() && one.GetName() == in.GetExecutionName() {
			return &pb.GetExecutionByTypeAndNameResponse{Execution: copied(one)}, nil
		}
	}
	return &pb.GetExecutionByTypeAndNameResponse{}, nil
}

func (s *store) GetEventsByExecutionIDs(_ context.Context, in *pb.GetEventsByExecutionIDsRequest, _ ...grpc.CallOption) (*pb.GetEventsByExecutionIDsResponse, error) {
	out := &pb.GetEventsByExecutionIDsResponse{}
	for _, one := range s.events {
		for _, id := range in.GetExecutionIds() {
			if one.GetExecutionId() == id {
				out.Events = append(out.Events, copied(one))
			}
		}
	}
	return out, nil
}
